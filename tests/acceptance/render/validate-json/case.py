from __future__ import annotations

from reconciler.model.diagnostics import error, warning
from reconciler.render.reports import ValidateReport

REPORT = ValidateReport(
    1, 1, (error("tasks.a: wrong", file="a.yaml", line=1, column=1), warning("tasks.a: odd"))
)
FORMAT = "json"
