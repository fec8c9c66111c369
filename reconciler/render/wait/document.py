"""The result of a wait as a JSON document."""

from __future__ import annotations

from reconciler.render.document import FORMAT_VERSION, Document, diagnostic_items, given
from reconciler.render.plan.document import plan_task
from reconciler.render.status.document import statuses_part
from reconciler.render.wait.report import WaitedReport


def wait_document(report: WaitedReport) -> Document:
    return {
        "formatVersion": FORMAT_VERSION,
        "end": report.end.value,
        "diagnostics": diagnostic_items(report.diagnostics),
        **statuses_part(report.statuses, report.read_at),
    }


def waited(report: WaitedReport) -> Document:
    """The member `wait` of the document of `apply --wait`."""
    return {
        "end": report.end.value,
        **statuses_part(report.statuses, report.read_at),
        **given(held=[plan_task(task) for task in report.held_tasks]),
    }
