"""What a use case tells and asks whoever runs it: progress, notes, questions, interruptions.

The command line implements `Ui` (`cli/console/output.py`); tests use a recording one. A use case
knows no terminal, no stream and no exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from reconciler.messages.notes import Note, Question

if TYPE_CHECKING:
    from reconciler.apply.loop import Waiting
    from reconciler.apply.report import TaskResult
    from reconciler.model.diagnostics import Arg, Diagnostic
    from reconciler.model.task import TaskRef
    from reconciler.render.reports import Report
    from reconciler.render.secrets import Secrets
    from reconciler.tasks.events import Approval
    from reconciler.tasks.open_requests import OpenRequest
    from reconciler.tasks.status import TaskStatus

Source = Callable[[str], str | None]
"""The text of a file that a diagnostic is about; None where it is not to be shown."""


class ApplyProgress(Protocol):
    """The progress of one apply. Called from several threads."""

    def started(self, ref: TaskRef) -> None: ...

    def ended(self, result: TaskResult) -> None: ...

    def waiting(self, waiting: Waiting) -> None: ...

    def held(self, seconds: float) -> None:
        """The service limits the rate of creates: none is sent for that long."""

    def close(self) -> None: ...


class Watch(Protocol):
    """The view of tasks that are being waited for."""

    def show(self, statuses: Sequence[TaskStatus], now: datetime) -> None: ...

    def note(self, note: Note, **facts: Arg) -> None: ...

    def leave(self) -> None:
        """Leaves what is shown in place: a signal handler wrote below it."""

    def close(self) -> None: ...


class Stop(Protocol):
    """Whether a signal asked the run to stop."""

    @property
    def exit_code(self) -> int | None: ...

    def wait(self, seconds: float) -> bool:
        """Sleeps, at most until a signal arrives; False once the run is to stop."""


class Ui(Protocol):
    """Whoever runs a use case."""

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""

    def note(self, note: Note, **facts: Arg) -> None: ...

    def detail(self, note: Note, **facts: Arg) -> None:
        """A note for verbose runs only."""

    def diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None: ...

    def show(self, report: Report) -> None:
        """An intermediate result for a person, such as the plan before the question of apply."""

    def show_approval(self, ref: TaskRef, approval: Approval) -> None: ...

    def show_request(self, request: OpenRequest, now: datetime) -> None:
        """What a task waits for, and since when."""

    def read_line(self, question: Question, **facts: Arg) -> str | None:
        """What a person types; None at the end of the input."""

    def ask(self, question: Question, *, strict: bool, **facts: Arg) -> bool:
        """`strict`: only the whole word `yes` agrees."""

    def protect(self, secrets: Secrets) -> None:
        """From now on, nothing that is shown repeats these prompts."""

    def conceal(self, text: str) -> str:
        """Text of others, such as the service's, without the protected prompts."""

    def show_sources(self, source: Source) -> None:
        """Where to find the lines that diagnostics are about."""

    def progress(self, total: int) -> ApplyProgress: ...

    def watch(self, known: Sequence[TaskStatus] = ()) -> Watch:
        """`known` are statuses that were shown before."""

    def interruptible(self, note: Note, last: Report | None = None) -> AbstractContextManager[Stop]:
        """Handles SIGINT and SIGTERM: the first shows `note`; a second one writes `last` as the
        result, for programs, and ends the process."""
