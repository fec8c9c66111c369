from __future__ import annotations

from reconciler.app.validate import ValidateReport
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, error, warning

WRONG = error(Code.EMPTY_VALUE, at=Place("a.yaml", 1, 1, "a", ("tasks", "a", "name")))
ODD = warning(Code.PLACEHOLDER, at=Place(key="a", path=("tasks", "a")), text="TODO")
REPORT = ValidateReport(1, 1, (WRONG, ODD))
FORMAT = "json"
