from __future__ import annotations

from reconciler.render.reports import ValidateReport

REPORT = ValidateReport(9, 6)
