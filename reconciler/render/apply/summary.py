"""The counts of an apply."""

from __future__ import annotations

from reconciler.apply.report import ApplyReport, Result
from reconciler.render.counts import listed
from reconciler.render.task_view import LABELS

_USUAL = (
    Result.CREATED,
    Result.ADOPTED,
    Result.FAILED,
    Result.UNRESOLVED,
    Result.NOT_STARTED,
)
"""Listed even if their count is 0."""


def apply_summary(report: ApplyReport, label: str = "Apply") -> str:
    """`Apply: 3 created, ...`"""
    return f"{label}: {listed(report.summary().items(), LABELS, _USUAL)}."
