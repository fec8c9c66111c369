"""The result of a wait for all formats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.render.results.table import result_rows
from reconciler.render.results.view import StatusesView
from reconciler.render.status.table import status_summary
from reconciler.render.style import Style

if TYPE_CHECKING:
    from reconciler.app.wait import WaitReport
    from reconciler.render.document import Document


class WaitView(StatusesView):
    command = "wait"

    def __init__(self, report: WaitReport) -> None:
        super().__init__(report.statuses, report.diagnostics)
        self.report = report

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        return result_rows(self.statuses, style, self.report.read_at)

    def document(self) -> Document:
        from reconciler.render.wait.document import wait_document

        return wait_document(self.report)

    def summary(self) -> str:
        return f"Wait: {status_summary(self.statuses)}".removesuffix(".")
