"""Text cannot break out of the tables, fences and folds of a report in GitHub's own renderer."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from cmarkgfm import github_flavored_markdown_to_html
from cmarkgfm.cmark import Options
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.options import PlanOptions
from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason
from reconciler.render import Report, render, view_of
from reconciler.render.formats.markdown import LIMIT
from reconciler.render.markdown_text import fence, link, paragraph, span
from reconciler.render.style import Style
from tests.support.diagnostics import error
from tests.support.escaping import commands_in, invisible_in
from tests.support.plan_sample import PLAN, desired
from tests.support.report_strategies import OUTBREAKS, long_text, reports, text

OURS = {"h3", "p", "code", "br", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
OURS |= {"pre", "a", "strong", "blockquote"}


class _Page(HTMLParser):
    """The parts that GitHub would interpret: elements, links, and text outside of code."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.links: list[str] = []
        self.prose: list[str] = []
        self.code: list[str] = []
        self.feed(github_flavored_markdown_to_html(source, Options.CMARK_OPT_UNSAFE))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")
        if tag == "br":
            self.prose.append("\n")
        else:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        inside = {"code", "pre"} & set(self.opened)
        (self.code if inside else self.prose).append(data)


MARKS = r"[@#$`|]|[^\W\d]:\w|\w:[^\W\d]|://|www\.|[0-9a-f]{7}|\b[A-Z]+-\d"
"""What code hosts make links, mentions or formulas of; not a time of day."""


def page_of(source: str) -> _Page:
    page = _Page(source)
    assert page.opened == []
    names = {name for name, _ in page.elements}
    assert names <= OURS, names - OURS
    for name, attributes in page.elements:
        assert set(attributes) <= {"a": {"href"}, "pre": {"lang"}}.get(name, set())
    prose = "".join(page.prose)
    assert not re.search(MARKS, prose), prose
    return page


@given(reports)
def test_text_never_breaks_out_of_its_element(report: Report) -> None:
    shown = render("markdown", report, Style())
    page = page_of(shown)
    home = report.backend if isinstance(report, Plan) else ""  # tasks are linked to where they are
    assert all("evil" not in address or "evil" in home for address in page.links)
    assert invisible_in(shown) <= {"\n"}
    assert commands_in(shown) == []
    tasks = len(view_of(report).tasks(Style()))
    assert sum(name == "details" for name, _ in page.elements) <= tasks
    rows = sum(name == "tr" for name, _ in page.elements)
    assert rows <= tasks + 1
    cells = sum(name in ("td", "th") for name, _ in page.elements)
    assert cells == (4 if "| At the service |" in shown else 3) * rows


@given(text)
def test_a_code_span_stays_in_its_cell(hostile: str) -> None:
    page = page_of(f"| a | b |\n| --- | --- |\n| {span(hostile)} | x |")
    assert sum(name == "td" for name, _ in page.elements) == 2
    assert sum(name == "code" for name, _ in page.elements) == 1


@given(long_text)
def test_a_fence_contains_any_text(hostile: str) -> None:
    page = page_of(f"{fence(hostile)}\n")
    assert [name for name, _ in page.elements] == ["pre", "code"]


@given(long_text)
@example("0:\nfixes #123")
def test_a_paragraph_contains_any_text(hostile: str) -> None:
    page = page_of(f"<details>\n<summary>x</summary>\n\n{paragraph(hostile)}\n\n</details>")
    assert [name for name, _ in page.elements if name not in ("code", "br")] == [
        "details",
        "summary",
        "p",
    ]


def test_code_of_the_catalog_keeps_the_punctuation_after_it() -> None:
    shown = paragraph("Add  `adopt: false`; without it,\n  (`all`) are  taken.")
    assert shown == (
        "<p>Add <code>adopt: false</code>; without it,<br>(<code>all</code>) are taken.</p>"
    )


def test_punctuation_around_a_key_is_no_code() -> None:
    found = paragraph("waiting for upgrade@web, (upgrade@api) and #7.")
    codes = ("upgrade@web</code>, (<", "upgrade@api</code>) and <", "#7</code>.</p>")
    assert found == "<p>waiting for <code>" + "code>".join(codes)


def test_a_plan_of_creates_has_no_column_for_existing_tasks() -> None:
    create = next(task for task in PLAN.tasks if task.action is Action.CREATE)
    shown = render("markdown", replace(PLAN, tasks=(create,)), Style())
    assert "| Task | Manifest |\n" in shown
    assert "At the service" not in shown
    assert "| At the service |" in render("markdown", PLAN, Style())


def test_prose_keeps_ordinary_words() -> None:
    shown = paragraph('does the same: "Weekly report", 2 days old (by ada), see t-1 and @bob')
    assert shown == (
        "<p>does the same: &quot;Weekly report&quot;, 2 days old (by ada), see "
        "<code>t-1</code> and <code>@bob</code></p>"
    )


@pytest.mark.parametrize("hostile", OUTBREAKS)
def test_only_a_url_is_a_link(hostile: str) -> None:
    assert "](" not in link(hostile, "open") or hostile in link(hostile, "open")
    assert page_of(link(hostile, "open")).links == []
    assert page_of(link(f"https://x.example/{hostile} y", "open")).links == []


def test_a_plan_shows_what_a_reviewer_needs() -> None:
    shown = render("markdown", PLAN, Style(locate=lambda file: f"infra/{file}"))
    page = page_of(shown)
    assert shown.startswith("### Plan for `acme` as `ada`: 2 to create, 1 to adopt,")
    assert "| `*` differs | `cost-review` | `infra/tasks/cost.yaml:12` | [`t-2222`](https" in shown
    assert "\n- Group it by team and service, compare it with the three months" in shown
    assert "\n+ Group it by team and service, compare it with the six months" in shown
    assert "| `+` create **[unattended]** | `upgrade-eks` |" in shown
    assert shown.count("**[unattended]**") == 2  # and what it means
    assert "unseen" not in "".join(page.code)  # unchanged
    assert sum(name == "details" for name, _ in page.elements) == 8


def test_a_plan_that_creates_tasks_shows_how_their_prompts_end() -> None:
    ending = "Taskctl-Task: rotate-iam-keys/..."
    assert f"`{ending}`" in render("markdown", PLAN, Style())
    assert f"<code>{ending}</code>" in render("html", PLAN, Style())
    none = replace(PLAN, tasks=tuple(task for task in PLAN.tasks if not task.creates))
    assert "Taskctl-Task" not in render("markdown", none, Style())


def test_problems_and_failed_tasks_are_shown() -> None:
    problem = error("tasks.x.source: must be api", "Write api.", file="a.yaml", line=3, column=9)
    shown = render("markdown", FailureReport((problem,)), Style())
    assert shown == (
        "### Failed: 1 error\n\n```text\na.yaml:3:9: error: tasks.x.source: must be api [TC744]\n"
        "    Write api.\n```\n"
    )
    assert render("markdown", ValidateReport(2, 1), Style()) == "### 2 tasks in 1 file: valid\n"
    failed = TaskResult(
        TaskRef("acme", "a"),
        Result.FAILED,
        problems=(remark("apply.unknown", why="403: not @allowed"),),
        file="a.yaml",
    )
    shown = render("markdown", ApplyReport((failed,)), Style())
    assert "|  | Task | Manifest |\n| --- | --- | --- |\n| `x` failed | `a` | `a.yaml` |\n" in shown
    assert "<p><code>403:</code> not <code>@allowed</code></p>" in shown or "403:" in shown


def big_plan(number: int, prompt: str) -> Plan:
    tasks = tuple(
        PlannedTask(
            TaskRef("acme", f"task-{n:05}"),
            Action.CREATE,
            Reason.NEW,
            "tasks/many.yaml",
            n,
            desired=desired(f"task-{n:05}", prompt),
        )
        for n in range(number)
    )
    problems = tuple(error(f"tasks.t{n}: " + "x" * 300) for n in range(number // 20))
    return Plan("https://api.pulumi.com", (), tasks, diagnostics=problems)


@pytest.mark.parametrize(
    ("number", "prompt"), [(1, "x" * 200_000), (1, "```\n" * 40_000), (300, "Do it.\n" * 90)]
)
def test_a_long_report_is_truncated_and_says_so(number: int, prompt: str) -> None:
    shown = render("markdown", big_plan(number, prompt), Style())
    page = page_of(shown)
    assert len(shown) <= LIMIT
    assert shown.startswith(f"### Plan for `acme`: {number} to create")
    assert "left out" in shown or "too long to show in full" in "".join(page.code)
    assert "task-00000" in shown


def test_ten_thousand_tasks_are_truncated_and_counted() -> None:
    shown = render("markdown", big_plan(10_000, "Do it."), Style())
    page = page_of(shown)
    assert LIMIT // 2 < len(shown) <= LIMIT
    assert re.search(r"left out: \d+ more problems, 9,\d{3} more tasks, the details", shown)
    assert "taskctl plan" in "".join(page.code)


@settings(max_examples=25)
@given(st.lists(long_text, min_size=1, max_size=5), st.integers(1, 40))
def test_truncation_never_breaks_a_fence(hostile: list[str], times: int) -> None:
    change = Change("message.content", "\n", "\n".join(hostile) * times, Origin.MANIFEST)
    task = PlannedTask(
        TaskRef("o", "k"), Action.CHANGED, Reason.CHANGED, "a.yaml", diff=(change,) * 12
    )
    shown = render("markdown", Plan("local", (), (task,)), Style())
    assert len(shown) <= LIMIT
    page_of(shown)


def test_a_plan_names_the_embedded_service_in_words() -> None:
    local = replace(PLAN, backend="local")
    assert "\n\nOn the embedded service.\n\n" in render("markdown", local, Style())
    assert 'class="about">On the embedded service.<' in render("html", local, Style())
    assert f"\n\nOn `{PLAN.backend}`.\n\n" in render("markdown", PLAN, Style())


def test_a_plan_that_can_be_applied_shows_its_digest() -> None:
    assert f"`apply --expect-plan`: `{plan_digest(PLAN)}`" in render("markdown", PLAN, Style())
    idle = replace(PLAN, tasks=tuple(task for task in PLAN.tasks if not task.applies))
    assert "expect-plan" not in render("markdown", idle, Style())


def test_a_plan_without_changes_names_the_selected_tasks() -> None:
    known = replace(PLAN, tasks=tuple(t for t in PLAN.tasks if t.action is Action.UNCHANGED))
    assert "No changes. All declared tasks exist." in render("markdown", known, Style())
    part = replace(known, options=PlanOptions(target=("a",)))
    assert "No changes. All selected tasks exist." in render("markdown", part, Style())
    assert "No changes. There are no tasks." in render("markdown", Plan("local", (), ()), Style())


def test_a_task_without_a_url_is_shown_by_its_id() -> None:
    done = TaskResult(TaskRef("acme", "a"), Result.CREATED, "t-1")
    assert "| `t-1` |" in render("markdown", ApplyReport((done,)), Style())
