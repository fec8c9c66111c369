"""The totals of what tasks used, and their rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.app.status import TotalsReport
from reconciler.model.budget import Budget, Outlook
from reconciler.model.identity import Identity
from reconciler.model.options import By
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from reconciler.render import render, view_of
from reconciler.render.style import Style
from reconciler.render.totals import totals_rows
from reconciler.tasks.totals import GroupTotal, Totals, Usage, known_usages, totals
from tests.support.documents import check_document
from tests.support.escaping import invisible_in
from tests.support.plan_values import ORG, attempt, duplicate, record, state
from tests.support.report_strategies import text

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


ME = Identity("u-1", login="ada")


def usage(key: str, file: str, outputs: dict[str, Any], identity: Identity = ME) -> Usage:
    return Usage(TaskRef("acme", key), f"t-{key}", file, identity, outputs=outputs)


def used(tokens: object, created: object) -> dict[str, Any]:
    return {"tokensUsed": tokens, "createdAt": created}


USED = [
    usage("a", "tasks/a.yaml", used(10, "2026-11-24T23:30:00-02:00")),
    usage("b", "tasks/a.yaml", used(5, "2026-11-24T01:00:00Z"), Identity("t", team="-core")),
    usage("c", "tasks/c.yaml", used(100, "2026-11-24T02:00:00Z")),
]


def test_tokens_are_summed_by_group() -> None:
    summed = totals(USED, tuple(By))
    assert summed.groups[By.FILE] == (
        GroupTotal("tasks/c.yaml", 1, 100),
        GroupTotal("tasks/a.yaml", 2, 15),
    )
    assert summed.groups[By.DAY] == (
        GroupTotal("2026-11-24", 2, 105),
        GroupTotal("2026-11-25", 1, 10),
    )
    assert summed.groups[By.TEAM] == (GroupTotal("ada", 2, 110), GroupTotal("-core", 1, 5))
    assert [one.name for one in summed.groups[By.TASK]] == ["acme/c", "acme/a", "acme/b"]
    assert (summed.tasks, summed.tokens, summed.unknown) == (3, 115, 0)


def test_since_excludes_only_certainly_older_tasks() -> None:
    since = datetime(2026, 11, 24, 2, tzinfo=UTC)
    undated = usage("d", "tasks/d.yaml", used(1, None))
    assert [u.ref.key for u in totals([*USED, undated], (), since).usages] == ["a", "c", "d"]


def test_current_and_former_tasks_of_a_key_count_once() -> None:
    kept = replace(record("a", "t2"), former=("t1",), outputs={"tokensUsed": 7})
    gone = record("b", "t4").retired(NOW, adoptable=False)
    again = record("a", "t1").retired(NOW, adoptable=True)
    known = replace(
        state([kept], [attempt("c", NOW)]),
        retired={task.task_id: task for task in (gone, again)},
        duplicates={"t3": duplicate("a", "t3")},
    )
    found = list(known_usages(known, frozenset(TaskRef(ORG, key) for key in "abc")))
    assert [u.task_id for u in found] == ["t2", "t1", "t4", "t3", ""]
    assert [u.tokens for u in found] == [7, None, None, None, None]
    assert [u.task_id for u in known_usages(known, frozenset({TaskRef(ORG, "t4")}))] == ["t4"]


@pytest.mark.parametrize("tokens", [None, -1, 10**30, "7", True, 1.5, []])
@pytest.mark.parametrize("created", [None, 7, "\x1b[2J", "0001-01-01T00:00:00+14:00", "9999-99"])
def test_invalid_numbers_count_as_zero(tokens: object, created: object) -> None:
    summed = totals([usage("a", "a.yaml", used(tokens, created))])
    assert summed.groups[By.DAY] == (GroupTotal("", 1, 0),)
    assert summed.unknown == 1


def csv_of(found: Totals) -> str:
    return render("csv", TotalsReport(found, ()), Style())


def test_csv_has_a_row_for_each_group_or_task_and_no_formulas() -> None:
    rows = csv_of(totals(USED, [By.TEAM])).splitlines()
    assert rows == ["team,tasks,tokens", "ada,2,110", "'-core,1,5"]
    odd = usage("x", 'tasks/"a", b\x1b[2J.yaml', used(None, None))
    rows = csv_of(totals([USED[0], odd], [By.TASK])).splitlines()
    assert rows[0] == "orgName,key,taskId,file,team,day,tokens"
    assert rows[1] == "acme,a,t-a,tasks/a.yaml,ada,2026-11-25,10"
    assert rows[2].startswith('acme,x,t-x,"tasks/""a"", b')
    assert rows[2].endswith('.yaml",ada,,')
    assert not invisible_in("".join(rows))
    for by in By:
        head, *rows = csv_of(totals([], [by])).splitlines()
        assert (head, rows) == (csv_of(totals(USED, [by])).splitlines()[0], [])


FILES = (
    GroupTotal("tasks/long/name/of/a/manifest.yaml", 12, 1_240_000),
    GroupTotal("b.yaml", 1, 10),
)
DAYS = (GroupTotal("2026-11-23", 1, 10), GroupTotal("2026-11-24", 12, 1_240_000))


def summed_up(
    files: tuple[GroupTotal, ...], days: tuple[GroupTotal, ...], unknown: int = 0
) -> Totals:
    tasks, tokens = sum(f.tasks for f in files), sum(f.tokens for f in files)
    return Totals((), {By.FILE: files, By.DAY: days}, tasks, tokens, unknown)


SUMMED = summed_up(FILES, DAYS, 2)
LEFT = Outlook(Budget("acme", 5, 9, exhausted=False), NOW)


def test_rows_have_the_documented_columns() -> None:
    assert totals_rows(SUMMED, [LEFT], Style()) == [
        "BY FILE                             TASKS     TOKENS",
        "tasks/long/name/of/a/manifest.yaml     12  1,240,000",
        "b.yaml                                  1         10",
        "",
        "BY DAY      TASKS     TOKENS",
        "2026-11-23      1         10",
        "2026-11-24     12  1,240,000",
        "",
        "1,240,010 tokens, used by 13 tasks; the usage of 2 is unknown.",
        "Budget: 5 of 9 tokens used.",
    ]
    assert totals_rows(summed_up((), ()), [LEFT], Style()) == ["No tasks are recorded."]


sums = st.lists(
    st.builds(GroupTotal, text, st.integers(0, 10**6), st.integers(0, 2**63)), min_size=1
)


@given(sums, sums)
def test_names_are_escaped(files: list[GroupTotal], days: list[GroupTotal]) -> None:
    summed = replace(summed_up(tuple(files), tuple(days)), tasks=9)
    assert not invisible_in("".join(totals_rows(summed, [], Style())))


def test_the_document_has_the_documented_form() -> None:
    shown = view_of(TotalsReport(SUMMED, (LEFT,))).document()
    check_document("status", shown)
    assert shown["totals"]["tokens"] == 1_240_010
    assert shown["totals"]["byFile"][1] == {"file": "b.yaml", "tasks": 1, "tokens": 10}
    assert shown["totals"]["byDay"][0] == {"day": "2026-11-23", "tasks": 1, "tokens": 10}
    assert shown["budget"]["organizations"][0]["usedTokens"] == 5
    assert "budget" not in view_of(TotalsReport(SUMMED, ())).document()
