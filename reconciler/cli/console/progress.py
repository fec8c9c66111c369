"""What a person sees while apply runs: a bar on a terminal, plain lines elsewhere. To stderr."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from reconciler.apply.loop import Waiting
from reconciler.apply.report import Result, TaskResult
from reconciler.cli.console.output import Output, say
from reconciler.messages.remarks import word
from reconciler.model.diagnostics import Arg
from reconciler.model.remarks import Remark
from reconciler.model.task import TaskRef
from reconciler.render import safe

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

_WORDS = {
    Result.CREATED: "created",
    Result.ADOPTED: "adopted",
    Result.MOVED: "moved",
    Result.REPLACED: "replaced",
    Result.UPDATED: "updated",
    Result.FAILED: "failed",
    Result.UNRESOLVED: "no answer yet",
    Result.NOT_STARTED: "not started",
}


class Progress(Protocol):
    def started(self, ref: TaskRef) -> None: ...

    def ended(self, result: TaskResult) -> None: ...

    def waiting(self, waiting: Waiting) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


def progress_for(out: Output, total: int, clock: Callable[[], datetime]) -> Progress:
    """`total` is the number of tasks that there is something to do for."""
    return Discreet(_shown_as(out, total, clock), out.concealed)


def _shown_as(out: Output, total: int, clock: Callable[[], datetime]) -> Progress:
    import sys

    if out.common.quiet:
        return Silent()
    if out.is_terminal(sys.stderr) and out.common.format == "text" and total:
        return Bar(total, clock, color=out.colored(sys.stderr))
    return Lines(clock)


class Discreet:
    """Another progress that is told no prompt which must not be shown; `conceal` takes it out."""

    def __init__(self, inner: Progress, conceal: Callable[[str], str]) -> None:
        self._inner = inner
        self._conceal = conceal

    def started(self, ref: TaskRef) -> None:
        self._inner.started(ref)

    def ended(self, result: TaskResult) -> None:
        problems = tuple(
            Remark(r.case, {n: self._fact(v) for n, v in r.facts.items()}) for r in result.problems
        )
        self._inner.ended(replace(result, problems=problems) if problems else result)

    def _fact(self, value: Arg) -> Arg:
        return self._conceal(value) if isinstance(value, str) else value

    def waiting(self, waiting: Waiting) -> None:
        problem = self._conceal(waiting.problem or "")
        self._inner.waiting(replace(waiting, problem=problem) if problem else waiting)

    def note(self, text: str) -> None:
        self._inner.note(self._conceal(text))

    def close(self) -> None:
        self._inner.close()


class Silent:
    def started(self, ref: TaskRef) -> None:
        del ref

    def ended(self, result: TaskResult) -> None:
        del result

    def waiting(self, waiting: Waiting) -> None:
        del waiting

    def note(self, text: str) -> None:
        say(safe.block(text) + "\n")

    def close(self) -> None:
        """Nothing is open."""


class Lines:
    """A line for each thing that happens, as a log wants it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._awaited: tuple[TaskRef, ...] = ()

    def started(self, ref: TaskRef) -> None:
        self.note(f"{ref}: creating")

    def ended(self, result: TaskResult) -> None:
        self.note(_line(result))

    def waiting(self, waiting: Waiting) -> None:
        if waiting.refs != self._awaited:
            self._awaited = waiting.refs
            self.note(_waiting(waiting, self._clock()))

    def note(self, text: str) -> None:
        say(safe.line(text) + "\n")

    def close(self) -> None:
        """Nothing is open."""


class Bar:
    """A bar that counts, the tasks under way beside it, and what ended above it."""

    def __init__(self, total: int, clock: Callable[[], datetime], *, color: bool) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._running: list[TaskRef] = []
        self._ended: set[TaskRef] = set()
        self._total = total
        self._bar = _rich_progress(color=color)
        self._task = self._bar.add_task("applying", total=total)
        self._bar.start()

    def started(self, ref: TaskRef) -> None:
        with self._lock:
            self._running.append(ref)
            self._show()

    def ended(self, result: TaskResult) -> None:
        ref = result.ref
        with self._lock:
            if ref in self._running:
                self._running.remove(ref)
            if result.result is not Result.UNRESOLVED:
                self._ended.add(ref)
            self._bar.update(self._task, completed=len(self._ended))
            self._show()
        self.note(_line(result))

    def waiting(self, waiting: Waiting) -> None:
        self._bar.update(self._task, description=safe.line(_waiting(waiting, self._clock())))

    def note(self, text: str) -> None:
        self._bar.console.print(safe.line(text), markup=False, highlight=False, emoji=False)

    def close(self) -> None:
        self._bar.stop()

    def _show(self) -> None:
        names = ", ".join(ref.key for ref in self._running[:3])
        more = len(self._running) - 3
        text = f"creating {names}" + (f" and {more} more" if more > 0 else "")
        self._bar.update(self._task, description=safe.line(text if names else "applying"))


def _rich_progress(*, color: bool) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, no_color=not color)
    return Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
    )


def _line(result: TaskResult) -> str:
    name = result.ref
    parts = [f"{name}: {_WORDS[result.result]}"]
    if result.task_id:
        parts.append(result.url or f"taskID {result.task_id}")
    if note := word(result.problems).note:
        parts.append(f"({note})")
    return " ".join(parts)


def _waiting(waiting: Waiting, now: datetime) -> str:
    keys = ", ".join(ref.key for ref in waiting.refs[:3])
    more = len(waiting.refs) - 3
    keys += f" and {more} more" if more > 0 else ""
    left = max(0, round((waiting.until - now).total_seconds()))
    text = f"looking for {keys}: no answer came; up to {left} s until it is certain"
    return f"{text} (the service does not answer: {waiting.problem})" if waiting.problem else text
