"""The reports that formats show."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from reconciler.app.ui import FailureReport
from reconciler.app.validate import ValidateReport

if TYPE_CHECKING:
    from reconciler.app.apply import ApplyWaitReport
    from reconciler.app.results import ResultsReport
    from reconciler.app.wait import WaitReport
    from reconciler.apply.report import ApplyReport
    from reconciler.plan.plan import Plan


Report: TypeAlias = (
    "ValidateReport | Plan | ApplyReport | ApplyWaitReport | WaitReport | ResultsReport"
    " | FailureReport"
)
