"""The result of `validate`, and of a command that failed early."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.model.diagnostics import Severity, count
from reconciler.render.counts import counted
from reconciler.render.reports import FailureReport, Style, ValidateReport
from reconciler.render.view import ReportView

if TYPE_CHECKING:
    from reconciler.model.task import DesiredTask
    from reconciler.render.task_view import TaskView


class ValidateView(ReportView):
    command = "validate"

    def __init__(self, report: ValidateReport) -> None:
        self.report = report
        self.diagnostics = report.diagnostics
        self.files = report.names
        self.errors = count(report.diagnostics, Severity.ERROR)
        self.warnings = count(report.diagnostics, Severity.WARNING)

    def rows(self, style: Style) -> Iterable[str]:
        return () if style.quiet else (f"{self.summary()}.",)

    def document(self) -> dict[str, Any]:
        from reconciler.render.document import json_document  # most runs write text

        summary = {
            "tasks": self.report.tasks,
            "files": self.report.files,
            "errors": self.errors,
            "warnings": self.warnings,
        }
        return json_document(self.diagnostics, valid=not self.errors, summary=summary)

    def summary(self) -> str:
        """`9 tasks in 6 files: valid`, or `3 errors, 1 warning in 6 files`"""
        files = counted(self.report.files, "file")
        odd = f", {counted(self.warnings, 'warning')}" if self.warnings else ""
        if self.errors:
            return f"{counted(self.errors, 'error')}{odd} in {files}"
        return f"{counted(self.report.tasks, 'task')} in {files}: valid{odd}"

    def checked(self) -> Sequence[DesiredTask]:
        return self.report.listed

    def markdown_head(self, shown: Sequence[TaskView]) -> Iterator[str]:
        del shown
        yield f"### Validate: {self.summary()}"


class FailureView(ReportView):
    command = ""

    def __init__(self, report: FailureReport) -> None:
        self.diagnostics = report.diagnostics

    def rows(self, style: Style) -> Iterable[str]:
        del style
        return ()

    def document(self) -> dict[str, Any]:
        from reconciler.render.document import json_document

        return json_document(self.diagnostics)

    def summary(self) -> str:
        return f"Failed: {counted(count(self.diagnostics, Severity.ERROR), 'error')}"
