"""HTML reports are well-formed, load nothing, and escape text."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from hypothesis import given

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.options import PlanOptions
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.plan import Action
from reconciler.render import Report, render, view_of
from reconciler.render.style import Style
from tests.support.diagnostics import error
from tests.support.escaping import commands_in, invisible_in
from tests.support.plan_sample import PLAN, desired
from tests.support.report_strategies import reports

VOID = {"meta", "link", "br", "input", "col"}
FETCHING = {"img", "iframe", "object", "embed", "video", "audio", "source", "base", "svg", "frame"}


class _Page(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        inside = self.opened[-1] if self.opened else ""
        self.data[inside] = self.data.get(inside, "") + data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(report: Report, style: Style | None = None) -> _Page:
    shown = render("html", report, style or Style())
    assert invisible_in(shown) <= {"\n"}
    assert commands_in(shown) == []
    page = _Page(shown)
    assert page.opened == []
    names = [name for name, _ in page.elements]
    assert not FETCHING & set(names)
    assert [names.count(name) for name in ("html", "head", "body", "style", "script")] == [1] * 5
    for name, attributes in page.elements:
        assert not [a for a in attributes if a.startswith("on") or a in ("style", "src", "srcset")]
        href = attributes.get("href")
        if name == "link":
            assert href == "data:,"
        elif href is not None:
            assert re.match(r"https?://", href)
    _check_policy(page)
    return page


def _check_policy(page: _Page) -> None:
    """The policy allows only the style and the script that the page contains."""
    (policy,) = [m["content"] or "" for m in page.named("meta") if "http-equiv" in m]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("img-src") == "data:"
    for kind in ("style", "script"):
        digest = b64encode(sha256(page.data[kind].encode()).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }


@given(reports)
def test_text_from_outside_is_only_text(report: Report) -> None:
    page = page_of(report)
    items = [attributes for attributes in page.named("li") if "data-word" in attributes]
    assert len(items) == len(view_of(report).tasks(Style()))
    assert page.data["script"] == page_of(PLAN).data["script"]


def test_a_plan_shows_what_a_reviewer_needs() -> None:
    page = page_of(PLAN, Style(locate=lambda file: f"infra/{file}"))
    shown = render("html", PLAN, Style(locate=lambda file: f"infra/{file}"))
    assert (
        page.data["h1"]
        == "Plan: 2 to create, 1 to adopt, 1 to move, 1 differs, 1 gone, 1 orphaned, 2 unchanged, "
        "1 unresolved"
    )
    assert "infra/tasks/cost.yaml:12" in shown
    assert '<del class="old">' in shown
    assert '<ins class="new">' in shown
    assert '<h3>upgrade-eks</h3> <span class="unattended">unattended</span>' in shown
    assert shown.count('class="unattended"') == 2  # and what it means
    assert 'href="https://app.pulumi.com/acme/neo/tasks/t-2222"' in shown
    assert len(page.named("details")) == 8 + 1 + 2  # unchanged ones are in a separate fold
    words = [button["data-word"] for button in page.named("button") if "data-word" in button]
    assert words == [word for word, number in PLAN.summary().items() if number]


def test_backticks_are_code_and_a_failure_is_announced() -> None:
    """As in the other formats: the catalog marks code with backticks."""
    problem = error("`follow-up` has stopped: <b>`x`</b>", file="a.yaml", line=1)
    page = render("html", FailureReport((problem,)), Style())
    assert "<code>follow-up</code> has stopped: &lt;b&gt;<code>x</code>&lt;/b&gt;" in page
    assert "Apply will exit 1" not in render("html", PLAN, Style())
    tasks = (replace(PLAN.tasks[0], action=Action.UNRESOLVED), *PLAN.tasks[1:])
    assert "Apply will exit 1: 1 unresolved" in render("html", replace(PLAN, tasks=tasks), Style())


def test_only_what_the_page_lists_can_be_filtered() -> None:
    """An apply also counts held tasks, which it does not list."""
    replaced = TaskResult(TaskRef("acme", "a"), Result.REPLACED, "t-2")
    page = page_of(ApplyReport((replaced,), held=3))  # held tasks are not listed
    assert page.data["h1"] == "Apply: 0 created, 1 replaced, 3 held"
    assert [b.get("data-word") for b in page.named("button")][:3] == ["replaced", None, None]


def test_headings_tables_and_controls_are_accessible() -> None:
    page = page_of(PLAN)
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("h1")) == 1
    assert len(page.named("main")) == len(page.named("header")) == 1
    (search,) = page.named("input")
    assert [label["for"] for label in page.named("label")] == [search["id"]]
    assert all("aria-pressed" in b for b in page.named("button") if "data-word" in b)
    assert all(button["type"] == "button" for button in page.named("button"))
    assert {th.get("scope") for th in page.named("th")} <= {"row", "col"}
    assert page.named("ul")
    assert not any("role" in ul for ul in page.named("ul"))  # it is a list without saying so


def test_every_report_has_a_page() -> None:
    problem = error("tasks.x: <b>", "Why.\nHow.", file="a.yaml", line=3, column=9)
    page = page_of(FailureReport((problem,)))
    assert page.data["h1"] == "Failed: 1 error"
    assert "a.yaml:3:9" in page.data["span"]
    report = ValidateReport(1, 2, (), (desired("a", "x"),), ("tasks/iam.yaml", "b.yaml"))
    assert page_of(report).data["h1"] == "1 task in 2 files: valid"
    done = TaskResult(TaskRef("acme", "a"), Result.CREATED, "t-1", "javascript:alert(1)")
    page = page_of(ApplyReport((done,)))
    assert page.data["h1"] == "Apply: 1 created"
    assert page.named("a") == []
    assert page_of(ApplyReport(())).data["h1"] == "Apply: 0 created"


def test_every_status_action_and_result_has_a_color() -> None:
    source = render("html", ValidateReport(1, 1, ()), Style())
    (style,) = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    painted = " ".join(re.findall(r"([^{}]*){ --ink:", style))
    words = {str(each.value) for kind in (TaskState, Action, Result) for each in kind}
    assert {word for word in words if not re.search(rf"\.{word}\b", painted)} == set()


def test_placeholders_in_values_are_not_filled() -> None:
    page = page_of(FailureReport((error("{{body}} {{policy}}"),)))
    assert "{{body}} {{policy}}" in page.data["span"]


def test_a_plan_without_changes_names_the_selected_tasks() -> None:
    known = replace(PLAN, tasks=tuple(t for t in PLAN.tasks if t.action is Action.UNCHANGED))
    assert "No changes. All declared tasks exist." in render("html", known, Style())
    part = replace(known, options=PlanOptions(target=("a",)))
    assert "No changes. All selected tasks exist." in render("html", part, Style())
