"""The outcome of an import: the result on stdout, the next step on stderr."""

from __future__ import annotations

from reconciler.cli.console.output import Output
from reconciler.importing.report import ImportReport
from reconciler.messages.notes import Note
from reconciler.model.diagnostics import has_errors
from reconciler.render.import_report import import_document, import_summary, import_text


def show_import(out: Output, report: ImportReport) -> int:
    """The exit code: 1 if something could not be imported."""
    if report.dry_run and out.common.format == "text":
        out.diagnostics(report.diagnostics)
        out.document(report.manifest)
        out.note(Note.DRY_RUN, summary=import_summary(report))
    else:
        out.result(
            lambda: import_document(report),
            lambda style: import_text(report, style),
            report.diagnostics,
        )
        if report.next_step and out.common.format == "text":
            out.note(Note.NEXT, command=report.next_step)
    return int(has_errors(report.diagnostics))
