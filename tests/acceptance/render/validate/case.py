from __future__ import annotations

from reconciler.app.validate import ValidateReport

REPORT = ValidateReport(9, 6)
