"""The reports that formats show, and their sensitive prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport
from reconciler.model.value import replace

if TYPE_CHECKING:
    from reconciler.app.apply import ApplyWaitReport
    from reconciler.app.results import ResultsReport
    from reconciler.app.wait import WaitReport
    from reconciler.apply.report import ApplyReport
    from reconciler.plan.masking import Keys
    from reconciler.plan.plan import Plan


Report: TypeAlias = (
    "ValidateReport | Plan | ApplyReport | ApplyWaitReport | WaitReport | ResultsReport"
    " | FailureReport"
)


def keys_in(report: Report) -> Keys:
    """The keys of a report's sensitive tasks, as far as it has their manifests."""
    if isinstance(report, ValidateReport):
        return frozenset(task.key for task in report.listed if task.sensitive)
    if isinstance(report, FailureReport):
        return frozenset()
    from reconciler.plan.plan import Plan  # most runs are of `validate`

    if isinstance(report, Plan):
        return frozenset(task.ref.key for task in report.tasks if task.sensitive)
    return frozenset()


def masked(report: Report, keys: Keys) -> Report:
    """The report without what may show a prompt of its own sensitive tasks, or of `keys`."""
    keys |= keys_in(report)
    if not keys:
        return report
    from reconciler.apply.report import ApplyReport
    from reconciler.plan.masking import (
        Redacted,
        masked_diagnostics,
        masked_plan,
        masked_remarks,
        redact,
    )
    from reconciler.plan.plan import Plan

    if isinstance(report, Plan):
        return masked_plan(report, keys)
    report = replace(report, diagnostics=masked_diagnostics(report.diagnostics, keys))
    if isinstance(report, ValidateReport):
        redacted = Redacted()
        listed = tuple(redact(task, redacted) if task.sensitive else task for task in report.listed)
        return replace(report, listed=listed)
    if isinstance(report, ApplyReport):
        return replace(
            report,
            tasks=tuple(
                replace(task, problems=masked_remarks(task.problems, task.ref.key, keys))
                for task in report.tasks
            ),
        )
    return report
