"""A command that failed before it had a result, for all formats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.app.ui import FailureReport
from reconciler.model.diagnostics import Severity, count
from reconciler.render.counts import counted
from reconciler.render.style import Style
from reconciler.render.view import ReportView

if TYPE_CHECKING:
    from reconciler.render.document import Document


class FailureView(ReportView):
    command = ""

    def __init__(self, report: FailureReport) -> None:
        self.diagnostics = report.diagnostics

    def rows(self, style: Style) -> Iterable[str]:
        del style
        return ()

    def document(self) -> Document:
        from reconciler.render.document import json_document  # most runs write text

        return json_document(self.diagnostics)

    def summary(self) -> str:
        return f"Failed: {counted(count(self.diagnostics, Severity.ERROR), 'error')}"
