"""The two looks that `taskctl status` has: a row for each task, or what they used in all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TextIO

from reconciler.app.budgets import Budgets
from reconciler.app.task_sessions import Watched
from reconciler.cli.console.live import Screen
from reconciler.cli.console.output import Output
from reconciler.model.task import TaskRef
from reconciler.render.status import ANY_ROOM, status_document, status_rows
from reconciler.render.totals import ASCII, BLOCKS, totals_document, totals_rows
from reconciler.tasks.status import TaskStatus
from reconciler.tasks.totals import totals


class Listing:
    """On a terminal, links that do not fit stand below their row; on the `screen` that the rows
    are for, if there is room."""

    def __init__(self, out: Output, screen: Screen | None) -> None:
        self._out = out
        self._screen = screen

    def rows(self, found: Sequence[TaskStatus], now: datetime) -> list[str]:
        if self._screen is not None:
            room = self._screen.lines
        else:
            room = ANY_ROOM if self._out.is_terminal(sys.stdout) else None
        return status_rows(found, self._out.style_of_result(), now, room=room)

    def document(self, found: Sequence[TaskStatus], now: datetime) -> dict[str, Any]:
        return status_document(found, now)


class Summing:
    """The sums, and the budgets of the organizations of these tasks, as they were at first, as are
    the tasks that their keys had before."""

    def __init__(self, tasks: Watched, refs: Sequence[TaskRef]) -> None:
        self._tasks = tasks
        self._organizations = {ref.org_name for ref in refs}
        self._former = tasks.former(refs)
        self._budgets = Budgets(tasks.client, tasks.out)

    def rows(self, found: Sequence[TaskStatus], now: datetime) -> list[str]:
        out = self._tasks.out
        used = totals(found, self._tasks.state.records, self._former)
        left = self._budgets.outlooks(self._organizations, now)
        marks = bar_marks(sys.stdout) if out.is_terminal(sys.stdout) else ""
        return totals_rows(used, left, out.style_of_result(), marks)

    def document(self, found: Sequence[TaskStatus], now: datetime) -> dict[str, Any]:
        used = totals(found, self._tasks.state.records, self._former)
        left = self._budgets.outlooks(self._organizations, now)
        return {**status_document(found, now), **totals_document(used, left)}


def bar_marks(stream: TextIO) -> str:
    """The characters of a bar that the stream's encoding has."""
    try:
        BLOCKS.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS
