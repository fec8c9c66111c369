"""The view of tasks while waiting: a line for each change, and on a terminal a table below."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.cli.console.live import Screen
from reconciler.messages.notes import Note
from reconciler.model.diagnostics import Arg
from reconciler.render.status.table import status_rows
from reconciler.tasks.status import TaskState, TaskStatus

if TYPE_CHECKING:
    from reconciler.cli.console.output import Output
    from reconciler.model.task import TaskRef


class LiveTable:
    """The view on stderr; `known` are the statuses already shown."""

    def __init__(self, out: Output, known: Sequence[TaskStatus] = ()) -> None:
        self._out = out
        self._before: dict[TaskRef, str] = {s.ref: s.state.value for s in known}
        as_text = out.options.format == "text" and not out.options.quiet
        on_terminal = as_text and sys.stderr.isatty()
        self._screen = Screen(sys.stderr, in_place=True) if on_terminal else None

    def show(self, statuses: Sequence[TaskStatus], now: datetime) -> None:
        changed = [s for s in statuses if self._before.get(s.ref) != s.state.value]
        self._before = {s.ref: s.state.value for s in statuses}
        if changed and self._screen is not None:
            self._screen.clear()
        for status in changed:
            self._out.note(_note(status), **_facts(status))
        if self._screen is not None:
            room = self._screen.lines
            style = self._out.style(sys.stderr)
            self._screen.show(["", *status_rows(statuses, style, now, room=room and room - 1)])

    def note(self, note: Note, **facts: Arg) -> None:
        if self._screen is not None:
            self._screen.clear()
        self._out.note(note, **facts)

    def leave(self) -> None:
        self._screen = None

    def close(self) -> None:
        if self._screen is not None:
            self._screen.clear()


def _note(status: TaskStatus) -> Note:
    if status.approvals:
        asks = any(approval.is_question for approval in status.approvals)
        return Note.TASK_ASKS if asks else Note.TASK_WAITS
    if status.parked:
        by_cli = any(call.mode == "cli" for call in status.parked)
        return Note.TASK_PARKED_CLI if by_cli else Note.TASK_PARKED_WORKER
    if status.state is TaskState.FAILED and status.summary.words:
        return Note.TASK_FAILED
    return Note.TASK_STATUS


def _facts(status: TaskStatus) -> dict[str, Arg]:
    words = " ".join(status.summary.words.split("\n"))
    tools = tuple(call.name for call in status.parked)
    facts = {"ref": str(status.ref), "status": status.state.value, "words": words}
    return {**facts, "tools": tools, "task_id": status.task_id or ""}
