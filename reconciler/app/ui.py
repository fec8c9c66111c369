"""The user interface of use cases: notes, questions, progress, interruptions.

The command line implements `Ui` (`cli/console/output.py`). Use cases do not depend on terminals,
streams or exit codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.remarks import Arg
from reconciler.model.task import TaskRef
from reconciler.model.value import Value
from reconciler.system.clock import Stop

if TYPE_CHECKING:
    from reconciler.apply.report import ApplyReport, TaskResult
    from reconciler.apply.settling import Waiting
    from reconciler.plan.plan import Plan
    from reconciler.tasks.events import Approval
    from reconciler.tasks.status import TaskStatus


class FailureReport(Value, frozen=True):
    """A command that failed; `diagnostics` contains at least one error."""

    diagnostics: tuple[Diagnostic, ...]


class ApplyProgress:
    """The progress of one apply, called from several threads. This class shows nothing."""

    def ended(self, result: TaskResult) -> None:
        """A task has a result. An unresolved task may get another result later."""

    def waiting(self, waiting: Waiting) -> None: ...

    def paused(self, seconds: float, why: Arg) -> None:
        """Create requests are paused for that long after an unknown outcome (`why`)."""

    def close(self) -> None: ...


class Watch(Protocol):
    """A live view of the tasks that a command waits for."""

    def show(self, statuses: Sequence[TaskStatus]) -> None: ...

    def close(self) -> None: ...


class Ui(Protocol):
    """The output and the prompts of a use case.

    Notes and questions go to stderr while a command runs: `-q` silences notes, and no JSON document
    contains them. Each consists of the name of its wording, in `messages/notes.md` and
    `messages/questions.md`, and facts.
    """

    @property
    def interactive(self) -> bool:
        """Whether it can prompt a person."""

    def note(self, note: str, **facts: Arg) -> None: ...

    def detail(self, note: str, **facts: Arg) -> None:
        """A note that is only shown with `--verbose`."""

    def diagnostics(self, diagnostics: Sequence[Diagnostic]) -> None: ...

    def show(self, report: Plan | ApplyReport) -> None:
        """An intermediate result for a person, such as the plan before apply asks."""

    def confirm(self, plan: Plan) -> bool:
        """Whether a person agrees to a plan, which was shown."""

    def show_approval(self, ref: TaskRef, approval: Approval) -> None: ...

    def read_line(self, question: str, **facts: Arg) -> str | None:
        """A line of input; None at its end."""

    def ask(self, question: str, *, strict: bool, **facts: Arg) -> bool:
        """Whether the answer is yes; `strict`: only the full word `yes` counts."""

    def progress(self, plan: Plan) -> ApplyProgress:
        """The progress of an apply of this plan."""

    def watch(self, known: Sequence[TaskStatus] = ()) -> Watch:
        """`known` are the statuses already shown."""

    def interruptible(
        self, note: str, last: ApplyReport | FailureReport | None = None
    ) -> AbstractContextManager[Stop]:
        """Handles SIGINT and SIGTERM: the first signal shows `note`; a second signal ends the
        process, with `last` as the result for programs."""
