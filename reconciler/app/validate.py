"""`validate`: reports every problem of every manifest, offline."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.app.context import Context
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.task import DesiredTask
from reconciler.model.value import Value, replace


class ValidateReport(Value, frozen=True):
    """`listed` are the tasks that could be read, `names` the files."""

    tasks: int
    files: int
    diagnostics: tuple[Diagnostic, ...] = ()
    listed: tuple[DesiredTask, ...] = ()
    names: tuple[str, ...] = ()


def validate(
    ctx: Context, paths: Sequence[str], *, may_be_none: bool = False, strict: bool = False
) -> ValidateReport:
    """The report with the errors and warnings of the manifests; notes are for plans. `may_be_none`:
    missing manifests are not a problem. `strict`: warnings are errors. Raises ManifestError for an
    invalid policy."""
    manifests = ctx.load(ctx.settings.names(paths))
    missing = {Code.NO_MANIFESTS} if may_be_none else set()
    return ValidateReport(
        tasks=len(manifests.tasks),
        files=len(manifests.files),
        diagnostics=tuple(
            replace(d, severity=Severity.ERROR) if strict else d
            for d in manifests.diagnostics
            if d.code not in missing
        ),
        listed=tuple(manifests.tasks),
        names=tuple(manifests.files),
    )
