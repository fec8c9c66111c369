"""What came out of each task, for all formats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.render.reports import Style
from reconciler.render.results.table import result_rows
from reconciler.render.status.table import status_summary
from reconciler.render.wait.view import WaitView

if TYPE_CHECKING:
    from reconciler.render.document import Document


class ResultsView(WaitView):
    """The tasks as after a wait, and how many are not created yet."""

    command = "results"

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        report = self.report
        return result_rows(report.statuses, style, report.read_at, report.missing)

    def document(self) -> Document:
        from reconciler.render.results.document import results_document

        return results_document(self.report)

    def summary(self) -> str:
        counted = f"Results: {status_summary(self.report.statuses)}".removesuffix(".")
        missing = self.report.missing
        return f"{counted}, {missing:,} not created yet" if missing else counted
