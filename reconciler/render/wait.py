"""The result of a wait for all formats."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.app.wait import WaitReport
from reconciler.messages.commands import Commands
from reconciler.render.document import FORMAT_VERSION, Document, diagnostic_items
from reconciler.render.results import StatusesView, result_rows
from reconciler.render.status import status_summary, statuses_part
from reconciler.render.style import Style


class WaitView(StatusesView):
    command = "wait"

    def __init__(self, report: WaitReport) -> None:
        super().__init__(report.statuses, report.diagnostics)
        self.report = report

    def rows(self, style: Style) -> Iterable[str]:
        if style.quiet:
            return ()
        return result_rows(self.statuses, style, self.report.read_at)

    def document(self, commands: Commands) -> Document:
        return {
            "formatVersion": FORMAT_VERSION,
            "end": self.report.end.value,
            "diagnostics": diagnostic_items(self.diagnostics, commands),
            **statuses_part(self.statuses, self.report.read_at, commands),
        }

    def summary(self) -> str:
        return f"Wait: {status_summary(self.statuses)}".removesuffix(".")
