"""The result of a wait, alone or after an apply, for all formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.messages import word
from reconciler.messages.commands import completed
from reconciler.messages.remarks import word_remarks
from reconciler.messages.template import Hint, Words
from reconciler.model.diagnostics import Severity
from reconciler.model.value import replace
from reconciler.render import safe
from reconciler.render.apply.view import ApplyView, result_view
from reconciler.render.reports import Locate, Style
from reconciler.render.results.table import result_rows
from reconciler.render.status.table import status_summary
from reconciler.render.task_view import TaskView, view_of_task
from reconciler.render.view import Count
from reconciler.render.wait.report import WaitedReport
from reconciler.tasks.results import result_of
from reconciler.tasks.status import TaskState, TaskStatus, counts, open_requests

if TYPE_CHECKING:
    from reconciler.render.parts import Part

_STATES: dict[TaskState, tuple[str, Severity | None]] = {
    TaskState.DONE: ("=", None),
    TaskState.RUNNING: ("~", Severity.WARNING),
    TaskState.WAITING: ("?", Severity.WARNING),
}
"""All other states are failures."""


class WaitView(ApplyView):
    """`command` is `apply` for `apply --wait`."""

    def __init__(self, report: WaitedReport) -> None:
        super().__init__(report)
        self.waited = report
        self.command = report.command

    def rows(self, style: Style) -> Iterable[str]:
        """What apply did (for `apply --wait`), and the status of the tasks."""
        if self.command == "apply":
            yield from super().rows(style)
            yield ""
        if not style.quiet:
            yield from waited_rows(self.waited, style)

    def document(self) -> Part:
        from reconciler.render.apply.document import apply_document
        from reconciler.render.results.document import results_document
        from reconciler.render.wait.document import wait_document, waited

        if self.command == "results":
            return results_document(self.waited)
        if self.command == "wait":
            return wait_document(self.waited)
        return apply_document(self.waited, waited(self.waited))

    def summary(self) -> str:
        before = f"{super().summary()}. " if self.command == "apply" else ""
        name = "Results" if self.command == "results" else "Wait"
        counted = f"{before}{name}: {status_summary(self.waited.statuses)}".removesuffix(".")
        missing = self.waited.missing
        return f"{counted}, {missing:,} not created yet" if missing else counted

    def headline(self) -> str:
        return self.summary()

    def counts(self) -> Iterable[Count]:
        for state, number in counts(self.waited.statuses).items():
            yield Count(state.value, state.value, number, state.value)

    def tasks(self, locate: Locate) -> list[TaskView]:
        waited_for = {status.ref for status in self.waited.statuses}
        found = [_status_view(status, locate) for status in self.waited.statuses]
        rest = [task for task in self.waited.tasks if task.ref not in waited_for]
        return [*found, *(result_view(task, locate) for task in rest)]


def waited_rows(report: WaitedReport, style: Style) -> Iterator[str]:
    """The table of results, and what is held."""
    yield from result_rows(report.statuses, style, report.read_at, report.missing)
    yield from held_rows(report)


def held_rows(report: WaitedReport) -> Iterator[str]:
    """`2 held: waiting for the pilot: ...`, for each reason."""
    reasons = Counter(word_remarks(task.explanation).note for task in report.held_tasks)
    for reason, number in reasons.items():
        yield f"{number} held: {safe.line(reason)}"


def _status_view(status: TaskStatus, locate: Locate) -> TaskView:
    """A task that was waited for."""
    sign, level = _STATES.get(status.state, ("x", Severity.ERROR))
    commands: Sequence[str] = [completed(request.command_line) for request in open_requests(status)]
    hints = tuple(Hint("", (command,)) for command in commands[:1] if command)
    result, reasons = result_of(status), [word(reason) for reason in status.unmet]
    repairs = (Hint(why.detail, tuple(why.command.split("\n"))) for why in reasons if why.command)
    hints = (*hints, *dict.fromkeys(repairs))
    why = "\n".join([*(reason.summary for reason in reasons), *filter(None, [result.error])])
    view = view_of_task(status, status.state, sign, level, Words(why, hints), locate)
    broken = level is Severity.ERROR and status.state is not TaskState.UNMET
    return replace(view, pull_requests=result.pull_requests, answer=result.answer, is_broken=broken)
