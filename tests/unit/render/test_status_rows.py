"""The table of `status`: a row per task, however long its address is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.app.status import StatusReport
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.render import cells
from reconciler.render.status import status_rows
from reconciler.render.style import Style
from reconciler.tasks.status import TaskStatus

NOW = datetime(2026, 11, 24, tzinfo=UTC)
URL = "https://app.pulumi.com/acme/neo/tasks/0de65a14-1e01-4e18-9cbb-c9a53411f70a"
TASKS = [
    TaskStatus(TaskRef("acme", f"key-{number}"), state, url=URL)
    for number, state in enumerate([TaskState.WAITING, TaskState.RUNNING, TaskState.DONE])
]


@pytest.mark.parametrize("verbose", [False, True])
def test_addresses_are_shown_with_verbose(verbose: bool) -> None:
    shown = status_rows(StatusReport(tuple(TASKS), NOW), Style(width=60, verbose=verbose))
    assert shown[0].split() == ["KEY", "STATUS", "AGE", "TOKENS"]
    assert sum(URL in row for row in shown) == (3 if verbose else 0)
    assert (shown[2] == f"  {URL}") is verbose


def test_a_task_is_one_line_of_100_columns_with_a_key_of_40() -> None:
    raw = {
        "createdAt": (NOW - timedelta(days=400)).isoformat(),
        "tokensUsed": 123_456_789,
    }
    tasks = [TaskStatus(TaskRef("acme", "k" * 40), state, raw=raw, url=URL) for state in TaskState]
    for style in (Style(width=100), Style(width=100, links=True)):
        rows = status_rows(StatusReport(tuple(tasks), NOW), style)
        assert [cells.without_markup(row)[:40] for row in rows[1:-3]] == ["k" * 40] * len(tasks)
        assert max(map(cells.width, rows)) <= 100


def test_keys_open_their_tasks_on_a_terminal_with_hyperlinks() -> None:
    shown = status_rows(StatusReport(tuple(TASKS), NOW), Style(links=True, color=True))
    plain = status_rows(StatusReport(tuple(TASKS), NOW), Style())
    assert f"\x1b]8;;{URL}\x1b\\key-0\x1b]8;;\x1b\\" in shown[1]
    assert [cells.without_markup(row) for row in shown] == plain


def test_the_total_fits_the_width() -> None:
    rows = status_rows(StatusReport(tuple(TASKS), NOW), Style(width=20))
    assert rows[-2:] == ["1 waiting, 1", "running, 1 done."]
