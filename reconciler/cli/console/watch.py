"""The view of tasks while waiting: a line for each change, and on a terminal a table below."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from reconciler.cli.console.live import Screen
from reconciler.model.remarks import Arg
from reconciler.model.task_state import TaskState
from reconciler.render.status import status_rows
from reconciler.render.style import Style
from reconciler.tasks.status import TaskStatus

if TYPE_CHECKING:
    from reconciler.model.task import TaskRef


class WriteNote(Protocol):
    def __call__(self, note: str, **facts: Arg) -> None: ...


class LiveTable:
    """The view on stderr: changes, written by `note`, and a table in the style that `style` returns
    now; None for no table. `known` are the statuses already shown."""

    def __init__(
        self,
        note: WriteNote,
        style: Callable[[], Style] | None,
        known: Sequence[TaskStatus] = (),
    ) -> None:
        self._note, self._style = note, style
        self._before: dict[TaskRef, str] = {s.ref: s.state.value for s in known}
        self._screen = Screen(sys.stderr) if style is not None else None

    def show(self, statuses: Sequence[TaskStatus], now: datetime) -> None:
        changed = [s for s in statuses if self._before.get(s.ref) != s.state.value]
        self._before = {s.ref: s.state.value for s in statuses}
        if changed and self._screen is not None:
            self._screen.clear()
        for status in changed:
            self._note(_note(status), **_facts(status))
        if self._screen is not None and self._style is not None:
            room = self._screen.lines
            rows = status_rows(statuses, self._style(), now, room=room and room - 1)
            self._screen.show(["", *rows])

    def note(self, note: str, **facts: Arg) -> None:
        if self._screen is not None:
            self._screen.clear()
        self._note(note, **facts)

    def leave(self) -> None:
        self._screen = None

    def close(self) -> None:
        if self._screen is not None:
            self._screen.clear()


def _note(status: TaskStatus) -> str:
    if status.approvals:
        asks = any(approval.is_question for approval in status.approvals)
        return "task_asks" if asks else "task_waits"
    if status.parked:
        by_cli = any(call.mode == "cli" for call in status.parked)
        return "task_parked_cli" if by_cli else "task_parked_worker"
    if status.state is TaskState.FAILED and status.summary.words:
        return "task_failed"
    return "task_status"


def _facts(status: TaskStatus) -> dict[str, Arg]:
    words = " ".join(status.summary.words.split("\n"))
    tools = tuple(call.name for call in status.parked)
    request = status.approvals[0].id if status.approvals else ""
    facts = {"ref": str(status.ref), "status": status.state.value, "words": words}
    return {**facts, "request": request, "tools": tools, "task_id": status.task_id or ""}
