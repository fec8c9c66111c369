"""The result of a wait for all formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconciler.messages import word
from reconciler.messages.commands import completed
from reconciler.messages.template import Hint, Words
from reconciler.model.diagnostics import Severity
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.render.reports import Locate, Style
from reconciler.render.results.table import result_rows
from reconciler.render.status.table import status_summary
from reconciler.render.task_view import TaskView, view_of_task
from reconciler.render.view import Count, ReportView
from reconciler.render.wait.report import WaitedReport
from reconciler.tasks.results import result_of
from reconciler.tasks.status import TaskStatus, counts, open_requests

if TYPE_CHECKING:
    from reconciler.render.document import Document

_LEVELS = {0: None, 1: Severity.ERROR, 2: Severity.WARNING, 3: Severity.WARNING}
"""By exit code."""


class WaitView(ReportView):
    """The tasks and their statuses."""

    command = "wait"

    def __init__(self, report: WaitedReport) -> None:
        self.report = report
        self.diagnostics = report.diagnostics

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        return result_rows(self.report.statuses, style, self.report.read_at)

    def document(self) -> Document:
        from reconciler.render.wait.document import wait_document

        return wait_document(self.report)

    def summary(self) -> str:
        return f"Wait: {status_summary(self.report.statuses)}".removesuffix(".")

    def counts(self) -> Iterable[Count]:
        for state, number in counts(self.report.statuses).items():
            yield Count(state.value, state.label, number, state.label)

    def tasks(self, locate: Locate) -> list[TaskView]:
        return [_status_view(status, locate) for status in self.report.statuses]


def _status_view(status: TaskStatus, locate: Locate) -> TaskView:
    """A task that was waited for."""
    traits = status.state.traits
    level = _LEVELS[traits.exit_code]
    commands: Sequence[str] = [completed(request.command_line) for request in open_requests(status)]
    hints = tuple(Hint("", (command,)) for command in commands[:1] if command)
    result, reasons = result_of(status), [word(reason) for reason in status.unmet]
    repairs = (Hint(why.detail, tuple(why.command.split("\n"))) for why in reasons if why.command)
    hints = (*hints, *dict.fromkeys(repairs))
    why = "\n".join([*(reason.summary for reason in reasons), *filter(None, [result.error])])
    view = view_of_task(status, status.state, traits.sign, level, Words(why, hints), locate)
    broken = level is Severity.ERROR and status.state is not TaskState.UNMET
    return replace(view, pull_requests=result.pull_requests, answer=result.answer, is_broken=broken)
