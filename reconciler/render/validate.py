"""The result of `validate` for all formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconciler.app.validate import ValidateReport
from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import Severity, count
from reconciler.model.task import DesiredTask
from reconciler.render.style import Style, counted
from reconciler.render.view import ReportView

if TYPE_CHECKING:
    from reconciler.render.document import Document


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

    def document(self, commands: Commands) -> Document:
        from reconciler.render.document import json_document  # most runs write text

        return json_document(
            self.diagnostics,
            commands,
            valid=not self.errors,
            summary={
                "tasks": self.report.tasks,
                "files": self.report.files,
                "errors": self.errors,
                "warnings": self.warnings,
            },
        )

    def summary(self) -> str:
        """`9 tasks in 6 files: valid`, or `3 errors, 1 warning in 6 files`"""
        files = counted(self.report.files, "file")
        errors = counted(self.errors, "error")
        odd = f", {counted(self.warnings, 'warning')}" if self.warnings else ""
        if self.errors:
            return f"{errors}{odd} in {files}" if self.report.files else f"{errors}{odd}"
        return f"{counted(self.report.tasks, 'task')} in {files}: valid{odd}"

    def checked(self) -> Sequence[DesiredTask]:
        return self.report.listed
