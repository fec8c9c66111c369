"""The counts of an apply."""

from __future__ import annotations

from reconciler.apply.report import ApplyReport
from reconciler.render.counts import listed
from reconciler.render.task_view import LABELS


def apply_summary(report: ApplyReport, label: str = "Apply") -> str:
    """`Apply: 3 created, 1 failed.`"""
    return f"{label}: {listed(report.summary().items(), LABELS)}."
