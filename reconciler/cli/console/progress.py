"""Progress on stderr: of an apply, as a bar or a line per task; of a wait, as a line per change and
a row with the counts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.app.ui import ApplyProgress
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.apply.settling import Waiting
from reconciler.cli.console.terminal import FOOT, write_stderr
from reconciler.messages import load_all
from reconciler.messages.remarks import note_text
from reconciler.model.remarks import Arg
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.render import safe
from reconciler.render.status import status_summary
from reconciler.tasks.status import TaskStatus

NAMED = 3
"""The number of keys listed; the others are only counted."""

BETWEEN_LINES = timedelta(seconds=30)
"""The time between two lines about the same wait."""


def load_early(shown: Callable[[ApplyReport], object]) -> None:
    """Loads the modules that render results (`shown`), so that an apply that can no longer open
    files still reports what it did."""
    from reconciler.cli.failures import failure_of

    load_all()
    failure_of(OSError())
    shown(ApplyReport(()))


WIDTH = 24
"""The width of a bar, in columns."""


class Lines(ApplyProgress):
    """A line for each wait. Each result is shown once all results before it, in the order of
    `refs`, are known."""

    def __init__(
        self,
        refs: Iterable[TaskRef],
        clock: Callable[[], datetime],
        show: Callable[[TaskResult], None],
    ) -> None:
        self._clock, self._show = clock, show
        self._awaited: tuple[TaskRef, ...] = ()
        self._told = clock()
        self._next = deque(refs)
        self._results: dict[TaskRef, TaskResult] = {}
        self._lock = threading.Lock()

    def ended(self, result: TaskResult) -> None:
        with self._lock:
            was_unresolved = result.ref in self._results
            self._results[result.ref] = result
            while self._next and self._next[0] in self._results:
                self._show(self._results[self._next.popleft()])
            if was_unresolved and result.ref not in self._next:
                self._show(result)

    def waiting(self, waiting: Waiting) -> None:
        refs, now = tuple(waiting.attempts), self._clock()
        if refs != self._awaited or now - self._told >= BETWEEN_LINES:
            self._awaited, self._told = refs, now
            write_stderr(safe.line(_waiting(waiting, self._clock())) + "\n")

    def paused(self, seconds: float, why: Arg) -> None:
        write_stderr(safe.line(_paused(seconds, why)) + "\n")


class Bar(ApplyProgress):
    """A progress bar, removed at the end."""

    def __init__(self, total: int, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ended: set[TaskRef] = set()
        self._total = total
        self._show("applying")

    def ended(self, result: TaskResult) -> None:
        with self._lock:
            if result.result not in (Result.NOT_STARTED, Result.UNRESOLVED):
                self._ended.add(result.ref)
            self._show("applying")

    def waiting(self, waiting: Waiting) -> None:
        with self._lock:
            self._show(_waiting(waiting, self._clock()))

    def paused(self, seconds: float, why: Arg) -> None:
        with self._lock:
            self._show(_paused(seconds, why))

    def close(self) -> None:
        FOOT.remove()

    def _show(self, text: str) -> None:
        full = WIDTH * len(self._ended) // max(self._total, 1)
        bar = "=" * full + "-" * (WIDTH - full)
        FOOT.show(f"[{bar}] {len(self._ended)}/{self._total}  {safe.line(text)}")


def _paused(seconds: float, why: Arg) -> str:
    return note_text("creates_paused", {"seconds": round(seconds), "why": why})


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _waiting(waiting: Waiting, now: datetime) -> str:
    left = max(0, round((waiting.until - now).total_seconds()))
    keys = _named([f"{ref} (sent {at:%H:%M:%S} UTC)" for ref, at in waiting.attempts.items()])
    facts: dict[str, Arg] = {"keys": keys, "seconds": left}
    note, why = "awaiting", waiting.why
    if waiting.problem:
        note, why = "awaiting_service", waiting.problem
    return note_text(note, facts | {"why": why})


class WriteNote(Protocol):
    def __call__(self, note: str, **facts: Arg) -> None: ...


class Changes:
    """The view of a wait on stderr: changes, written by `note`, and on a terminal (`in_place`) a
    row with the counts. `known` are the statuses already shown."""

    def __init__(self, note: WriteNote, known: Sequence[TaskStatus], *, in_place: bool) -> None:
        self._note, self._in_place = note, in_place
        self._before: dict[TaskRef, str] = {s.ref: s.state.value for s in known}

    def show(self, statuses: Sequence[TaskStatus]) -> None:
        changed = [s for s in statuses if self._before.get(s.ref) != s.state.value]
        self._before = {s.ref: s.state.value for s in statuses}
        for status in changed:
            self._note(_note(status), **_facts(status))
        if self._in_place:
            FOOT.show(status_summary(statuses))

    def close(self) -> None:
        FOOT.remove()


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
    facts = {"ref": str(status.ref), "status": status.state.label, "words": words}
    return {**facts, "request": request, "tools": tools, "task_id": status.task_id or ""}
