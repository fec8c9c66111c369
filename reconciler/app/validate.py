"""`validate`: every problem of every manifest, offline."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.app.context import Context
from reconciler.render.reports import ValidateReport


def validate(ctx: Context, paths: Sequence[str]) -> ValidateReport:
    """The report; problems of manifests are in its diagnostics. ManifestError for a bad policy."""
    manifests = ctx.load(paths)
    ctx.ui.show_sources(manifests.text_of)
    return ValidateReport(
        tasks=len(manifests.tasks),
        files=len(manifests.files),
        diagnostics=tuple(manifests.diagnostics),
        listed=tuple(manifests.tasks),
        names=tuple(manifests.files),
    )
