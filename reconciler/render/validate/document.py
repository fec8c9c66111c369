"""The result of `validate` as a JSON document."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from reconciler.model.diagnostics import Severity, count
from reconciler.render.parts import CommandDocument, Count, Part, diagnostic_items
from reconciler.render.reports import ValidateReport


class ValidateSummary(Part, kw_only=True):
    """What was checked and found."""

    tasks: Annotated[Count, Meta(description="Tasks that the manifests declare.")]
    files: Annotated[Count, Meta(description="Manifests that were read.")]
    errors: Annotated[Count, Meta(description="Errors.")]
    warnings: Annotated[Count, Meta(description="Warnings.")]


class ValidateDocument(CommandDocument, kw_only=True):
    """The problems in the manifests.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    valid: Annotated[bool, Meta(description="Whether there are no errors.")]
    summary: Annotated[ValidateSummary, Meta(description="What was checked and found.")]


def validate_document(report: ValidateReport) -> ValidateDocument:
    errors = count(report.diagnostics, Severity.ERROR)
    return ValidateDocument(
        diagnostics=diagnostic_items(report.diagnostics),
        valid=not errors,
        summary=ValidateSummary(
            tasks=report.tasks,
            files=report.files,
            errors=errors,
            warnings=count(report.diagnostics, Severity.WARNING),
        ),
    )
