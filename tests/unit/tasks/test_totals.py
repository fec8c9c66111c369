"""The sums of what tasks used, and their rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.task import TaskRef
from reconciler.plan.budget import Budget, Outlook
from reconciler.render import cells
from reconciler.render.reports import Style
from reconciler.render.totals import ASCII, BLOCKS, bar, totals_document, totals_rows
from reconciler.tasks.status import TaskState, TaskStatus
from reconciler.tasks.totals import Sum, Totals, totals
from tests.support.inert import unseen_in
from tests.support.report_strategies import SLOW, text
from tests.support.worlds import record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def status(key: str, file: str, raw: dict[str, Any]) -> TaskStatus:
    return TaskStatus(TaskRef("acme", key), TaskState.DONE, file, f"t-{key}", raw=raw)


def used(tokens: object, created: object) -> dict[str, Any]:
    return {"tokensUsed": tokens, "createdAt": created}


def test_tokens_are_summed_by_file_and_by_day() -> None:
    summed = totals(
        [
            status("a", "tasks/a.yaml", used(10, "2026-11-24T23:30:00-02:00")),
            status("b", "tasks/a.yaml", used(5, "2026-11-24T01:00:00Z")),
            status("c", "tasks/c.yaml", used(100, "2026-11-24T02:00:00Z")),
        ],
        {},
    )
    assert summed.by_file == (Sum("tasks/c.yaml", 1, 100), Sum("tasks/a.yaml", 2, 15))
    assert summed.by_day == (Sum("2026-11-24", 2, 105), Sum("2026-11-25", 1, 10))
    assert (summed.tasks, summed.tokens, summed.untold) == (3, 115, 0)


def test_a_task_that_the_service_does_not_show_counts_as_it_was_read_last() -> None:
    kept = replace(record("gone", "t-gone", created_at=NOW), outputs={"tokensUsed": 7})
    ref = kept.ref
    unseen = TaskStatus(ref, TaskState.GONE, "tasks/a.yaml", "t-gone")
    assert totals([unseen], {ref: kept}).by_day == (Sum("2026-11-24", 1, 7),)
    assert totals([unseen], {}) == Totals(
        (Sum("tasks/a.yaml", 1, 0),), (Sum("", 1, 0),), tasks=1, tokens=0, untold=1
    )


@pytest.mark.parametrize("tokens", [None, -1, 10**30, "7", True, 1.5, []])
@pytest.mark.parametrize("created", [None, 7, "\x1b[2J", "0001-01-01T00:00:00+14:00", "9999-99"])
def test_what_makes_no_sense_counts_for_nothing(tokens: object, created: object) -> None:
    summed = totals([status("a", "a.yaml", used(tokens, created))], {})
    assert summed.by_day == (Sum("", 1, 0),)
    assert summed.untold == 1


FILES = (Sum("tasks/long/name/of/a/manifest.yaml", 12, 1_240_000), Sum("b.yaml", 1, 10))
SUMMED = Totals(
    FILES, (Sum("2026-11-23", 1, 10), Sum("2026-11-24", 12, 1_240_000)), 13, 1_240_010, 2
)
LEFT = Outlook(Budget("acme", 5, 9, exhausted=False), NOW)


def test_the_rows() -> None:
    assert totals_rows(SUMMED, [LEFT], Style(), ASCII) == [
        "BY FILE                             TASKS     TOKENS",
        "tasks/long/name/of/a/manifest.yaml     12  1,240,000  " + "#" * 26,
        "b.yaml                                  1         10  #",
        "",
        "BY DAY      TASKS     TOKENS",
        "2026-11-23      1         10  #",
        "2026-11-24     12  1,240,000  " + "#" * 40,
        "",
        "1,240,010 tokens, used by 13 tasks; of 2 nobody told what they used.",
        "Budget: 5 of 9 tokens used.",
    ]
    assert not any("#" in row for row in totals_rows(SUMMED, [], Style()))
    assert totals_rows(Totals((), (), 0, 0, 0), [LEFT], Style()) == ["No tasks are recorded."]


def test_many_are_summed_up_further() -> None:
    files = tuple(Sum(f"{number}.yaml", 1, 100 - number) for number in range(50))
    days = tuple(Sum(f"2026-{m:02}-{d:02}", 1, 2) for m in (1, 2) for d in range(1, 26))
    rows = totals_rows(Totals(files, days, 50, 100, 0), [], Style())
    assert rows[21].split() == ["(30", "others)", "30", "1,965"]
    assert rows[24].split() == ["(19", "before)", "19", "38"]
    assert len(rows) == 1 + 21 + 1 + 1 + 32 + 2


sums = st.lists(st.builds(Sum, text, st.integers(0, 10**6), st.integers(0, 2**63)), min_size=1)


@SLOW
@given(sums, sums, st.integers(40, 120), st.sampled_from(["", ASCII, BLOCKS]))
def test_rows_fit_and_names_are_data(
    files: list[Sum], days: list[Sum], width: int, marks: str
) -> None:
    summed = Totals(tuple(files), tuple(days), 9, 9, 0)
    rows = totals_rows(summed, [], Style(width=width), marks)
    assert not unseen_in("".join(rows))
    assert all(cells.width(row) <= max(width, 48) for row in rows)


@given(st.integers(0, 2**63), st.integers(1, 2**63), st.integers(1, 200))
def test_a_bar_is_as_long_as_its_share(value: int, most: int, columns: int) -> None:
    value = min(value, most)
    drawn = bar(value, most, columns, BLOCKS)
    assert len(drawn) <= columns
    assert bool(drawn) == (value > 0)
    assert bar(most, most, columns, BLOCKS) == "█" * columns


def test_the_document() -> None:
    shown = totals_document(SUMMED, [LEFT])
    assert shown["totals"]["tokens"] == 1_240_010
    assert shown["totals"]["byFile"][1] == {"file": "b.yaml", "tasks": 1, "tokens": 10}
    assert shown["totals"]["byDay"][0] == {"day": "2026-11-23", "tasks": 1, "tokens": 10}
    assert shown["budget"]["organizations"][0]["usedTokens"] == 5
    assert "budget" not in totals_document(SUMMED, [])
