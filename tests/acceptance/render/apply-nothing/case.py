from __future__ import annotations

from reconciler.apply.report import ApplyReport

REPORT = ApplyReport(())
