"""The result of a wait as a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.render.document import FORMAT_VERSION, Document, diagnostic_items
from reconciler.render.status.document import statuses_part

if TYPE_CHECKING:
    from reconciler.app.wait import WaitReport


def wait_document(report: WaitReport) -> Document:
    return {
        "formatVersion": FORMAT_VERSION,
        "end": report.end.value,
        "diagnostics": diagnostic_items(report.diagnostics),
        **statuses_part(report.statuses, report.read_at),
    }
