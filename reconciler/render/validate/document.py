"""The result of `validate` as a JSON document."""

from __future__ import annotations

from reconciler.app.validate import ValidateReport
from reconciler.model.diagnostics import Severity, count
from reconciler.render.document import Document, json_document


def validate_document(report: ValidateReport) -> Document:
    errors = count(report.diagnostics, Severity.ERROR)
    return json_document(
        report.diagnostics,
        valid=not errors,
        summary={
            "tasks": report.tasks,
            "files": report.files,
            "errors": errors,
            "warnings": count(report.diagnostics, Severity.WARNING),
        },
    )
