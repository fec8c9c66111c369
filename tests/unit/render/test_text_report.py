"""Text reports escape whatever they contain, fit the width, and end with the summary."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Plan, Reason
from reconciler.render import Report, cells, render
from reconciler.render.plan.summary import plan_summary
from reconciler.render.style import Style
from reconciler.render.text_diff import diff_rows
from tests.support import plan_strategies as some
from tests.support.diagnostics import error
from tests.support.entry_sample import ROWS, as_planned, generated, plan_of
from tests.support.escaping import commands_in, invisible_in
from tests.support.plan_sample import PLAN, TASKS
from tests.support.report_strategies import reports

PAINT = re.compile(r"\x1b\[[0-9;]*m")

styles = st.builds(
    Style,
    color=st.booleans(),
    width=st.integers(40, 120),
    quiet=st.booleans(),
    verbose=st.booleans(),
    diagnostics=st.booleans(),
)


@given(reports, styles)
def test_text_is_inert(report: Report, style: Style) -> None:
    shown = render("text", report, style)
    assert not shown or shown.endswith("\n")
    bare = PAINT.sub("", shown) if style.color else shown
    assert invisible_in(bare) <= {"\n"}
    assert commands_in(bare) == []
    assert commands_in(shown) == []


@example(replace(PLAN, tasks=(replace(TASKS[0], file=" ", line=None),)), Style())
@given(some.plans(), styles)
def test_color_adds_only_color(plan: Plan, style: Style) -> None:
    painted, plain = (render("text", plan, replace(style, color=color)) for color in (True, False))
    assert PAINT.sub("", painted) == plain


@given(some.plans(), styles)
def test_the_last_line_is_the_count(plan: Plan, style: Style) -> None:
    shown = render("text", plan, replace(style, color=False, quiet=False, diagnostics=False))
    last = shown.splitlines()[-1]
    assert last == plan_summary(plan)
    counted = last.partition(".")[0]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (?:to )?(\w+)", counted)}
    labels = {"differ": "changed", "differs": "changed"}
    counts = {labels.get(word, word): number for word, number in counts.items()}
    assert counts == {
        action: number
        for action, number in plan.summary().items()
        if number or action == Action.CREATE
    }


def test_the_count_has_the_documented_form() -> None:
    def count(**numbers: int) -> str:
        tasks = [
            replace(TASKS[0], action=action)
            for action in Action
            for _ in range(numbers.get(action, 0))
        ]
        return plan_summary(replace(PLAN, tasks=tuple(tasks)))

    assert count(create=1, changed=1, unchanged=7) == "Plan: 1 to create, 1 differs, 7 unchanged."
    assert count(changed=2) == "Plan: 0 to create, 2 differ."
    assert count(gone=1, unresolved=3) == (
        "Plan: 0 to create, 1 gone, 3 unresolved. Apply will exit 1: 3 unresolved."
    )
    assert count(move=2, unresolved=1) == (
        "Plan: 0 to create, 2 to move, 1 unresolved. "
        "Apply will exit 1: 1 unresolved. It still does the rest."
    )


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_plan_fits_the_width(width: int) -> None:
    rows = render("text", PLAN, Style(width=width, verbose=True)).splitlines()
    assert [row for row in rows[:-1] if cells.width(row) > width and "https://" not in row] == []


def test_unchanged_tasks_are_hidden_unless_verbose() -> None:
    assert "  = same" not in render("text", PLAN, Style())
    assert "  = same" in render("text", PLAN, Style(verbose=True))


def test_only_an_entry_with_tasks_to_create_shows_its_settings() -> None:
    tasks = [generated(row, position) for position, row in enumerate(ROWS[:3])]
    new = [as_planned(task) for task in tasks]
    old = [as_planned(t, Action.CHANGED, Reason.CHANGED, task_id=f"id-{t.key}") for t in tasks]
    assert "approvalMode" in render("text", plan_of([*old[:2], new[2]]), Style())
    assert "approvalMode" not in render("text", plan_of(old), Style())


def test_every_reason_is_explained_except_obvious_ones() -> None:
    for reason in set(Reason) - {Reason.NEW, Reason.CHANGED, Reason.REMOVED, Reason.SAME}:
        task = replace(TASKS[0], action=Action.GONE, reason=reason, remarks=(), desired=None)
        assert "iam.yaml:7\n      " in render("text", replace(PLAN, tasks=(task,)), Style()), reason


@given(some.text, st.integers(1, 60))
def test_wrapping_keeps_every_word(text: str, columns: int) -> None:
    from reconciler.render import safe

    shown = safe.line(text)
    rows = cells.wrap(shown, columns)
    assert "".join("".join(rows).split()) == "".join(shown.split())
    assert all(cells.width(row) <= max(columns, 2) for row in rows)


@given(some.prompts, some.prompts)
def test_a_difference_shows_each_changed_line(before: str, after: str) -> None:
    rows = diff_rows(before, after, Style(width=10_000, verbose=True))
    same = before.replace("\r\n", "\n") == after.replace("\r\n", "\n")
    marked = [row for row in rows if row[:1] in "+-"]
    assert bool(marked) != same


def test_many_changed_words_are_wrapped() -> None:
    before = " ".join(f"stays{n} word{n}" for n in range(20))
    after = " ".join(f"stays{n} {'other' if n % 3 else 'word'}{n}" for n in range(20))
    rows = diff_rows(before, after, Style(width=40))
    assert {row[:2] for row in rows} == {"- ", "+ "}
    assert all(cells.width(row) <= 40 for row in rows)
    shown = [row[2:] for row in rows if row[0] == "+"]
    assert "".join(shown).replace(" ", "") == after.replace(" ", "")


@pytest.mark.parametrize("end", ["", "  "])
def test_painted_rows_have_no_trailing_blanks(end: str) -> None:
    before = " ".join(f"stays{n} word{n}" for n in range(20)) + end
    after = before.replace("word", "other")
    for on in (False, True):
        rows = diff_rows(before, after, Style(width=40, color=on))
        assert len(rows) > 10
        assert [row for row in rows if PAINT.sub("", row).endswith(" ")] == []


def test_huge_prompts_are_compared_quickly() -> None:
    """The exact method would take minutes, and the test would time out."""
    words = " ".join(f"word{n % 50}" for n in range(60_000))
    texts = [words, words.replace("word7 ", "other ", 3), words[::-1]]
    blank = "\n".join("" if n % 2 else f"line {n % 9}" for n in range(20_000))
    for before, after in ((texts[0], texts[1]), (texts[0], texts[2]), (blank, "x\n" + blank[9:])):
        rows = diff_rows(before, after, Style(width=74))
        assert 2 <= len(rows) <= 42


def test_diagnostics_may_be_shown_elsewhere() -> None:
    plan = replace(PLAN, tasks=(), diagnostics=(error("wrong", file="a.yaml", line=2, column=3),))
    assert render("text", plan, Style()).startswith("a.yaml:2:3: error: wrong [TC744]\n\nPlan for")
    assert "wrong" not in render("text", plan, Style(diagnostics=False))


def test_replaced_tasks_that_are_visible_to_different_users_are_not_said_to_be_alike() -> None:
    tasks = [
        replace(
            TASKS[0],
            ref=TaskRef("acme", f"k{n}"),
            action=Action.REPLACE,
            reason=Reason.ASKED,
            task_id=f"t-{n}",
            remarks=(remark("replace.hidden", maker=maker),),
        )
        for n, maker in enumerate(["ada", "bob", "ada", "bob"])
    ]
    shown = render("text", replace(PLAN, tasks=tuple(tasks)), Style(width=200))
    assert "only to ada" in shown
    assert "only to bob" in shown
