"""The table of `status`: links that do not fit next to their row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.model.task import TaskRef
from reconciler.render.reports import Style
from reconciler.render.status.table import UNLIMITED, status_rows
from reconciler.tasks.status import TaskState, TaskStatus

NOW = datetime(2026, 11, 24, tzinfo=UTC)
URL = "https://app.pulumi.com/acme/neo/tasks/0de65a14-1e01-4e18-9cbb-c9a53411f70a"
TASKS = [
    TaskStatus(TaskRef("acme", f"key-{number}"), state, url=URL)
    for number, state in enumerate([TaskState.WAITING, TaskState.RUNNING, TaskState.DONE])
]


def rows(width: int, room: int | None) -> list[str]:
    return status_rows(TASKS, Style(width=width), NOW, room=room)


@pytest.mark.parametrize(
    ("width", "room", "beside", "below"),
    [
        (80, None, True, False),  # in a pipe
        (120, 9, True, False),
        (80, 9, False, True),
        (80, 8, False, False),  # tasks take precedence over links
        (60, 20, False, False),  # a truncated link would be useless
        (60, UNLIMITED, False, True),
    ],
)
def test_links_point_to_the_task_page(
    width: int, room: int | None, *, beside: bool, below: bool
) -> None:
    shown = rows(width, room)
    assert ("LINK" in shown[0]) is beside
    assert shown[1].endswith(URL) is beside
    assert (shown[2] == f"  {URL}") is below
    assert sum(URL in row for row in shown) == (3 if beside or below else 0)
    assert len(shown) <= (room or 20)


def test_the_total_fits_the_width() -> None:
    assert rows(20, 20)[-2:] == ["1 waiting, 1", "running, 1 done."]
    assert rows(20, None)[-1] == "1 waiting, 1 running, 1 done."
