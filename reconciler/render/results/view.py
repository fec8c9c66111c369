"""What came out of each task, for all formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconciler.messages import word
from reconciler.messages.commands import completed
from reconciler.messages.template import Hint, Words
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.render.results.table import result_rows
from reconciler.render.status.table import status_summary
from reconciler.render.style import Locate, Style
from reconciler.render.task_view import TaskView, view_of_task
from reconciler.render.view import Count, ReportView
from reconciler.tasks.results import result_of
from reconciler.tasks.status import TaskStatus, counts, open_requests

if TYPE_CHECKING:
    from reconciler.app.results import ResultsReport
    from reconciler.render.document import Document

_LEVELS = {0: None, 1: Severity.ERROR, 2: Severity.WARNING, 3: Severity.WARNING}
"""By exit code."""


class StatusesView(ReportView):
    """Tasks and their statuses."""

    def __init__(self, statuses: Sequence[TaskStatus], diagnostics: Sequence[Diagnostic]) -> None:
        self.statuses, self.diagnostics = statuses, diagnostics

    def counts(self) -> Iterable[Count]:
        for state, number in counts(self.statuses).items():
            yield Count(state.value, state.label, number, state.label)

    def tasks(self, locate: Locate) -> list[TaskView]:
        return [_status_view(status, locate) for status in self.statuses]


class ResultsView(StatusesView):
    command = "results"

    def __init__(self, report: ResultsReport) -> None:
        super().__init__(report.statuses, report.diagnostics)
        self.report = report

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        return result_rows(self.statuses, style, self.report.read_at, self.report.missing)

    def document(self) -> Document:
        from reconciler.render.results.document import results_document

        return results_document(self.report)

    def summary(self) -> str:
        counted = f"Results: {status_summary(self.statuses)}".removesuffix(".")
        missing = self.report.missing
        return f"{counted}, {missing:,} not created yet" if missing else counted


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
