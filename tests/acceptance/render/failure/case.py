from __future__ import annotations

from reconciler.app.ui import FailureReport
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, error, warning

FILE = "tasks/a.yaml"


def at(line: int, column: int | None = None, *path: str) -> Place:
    return Place(FILE, line, column, "a", ("tasks", "a", *path))


REPORT = FailureReport(
    (
        error(Code.INVALID_TIME, text="::error::x\x1b[1m\n##[error]y"),
        error(Code.WRONG_TYPE, at=at(2, 15, "planMode"), kinds=("true or false",), value='"yes"'),
        error(Code.UNKNOWN_PROPERTY, "similar", at=at(3, 12, "approvalMod"), near="approvalMode"),
        error(Code.VALUE_TOO_LONG, at=at(4, 207, "name"), length=300, limit=255),
        warning(Code.PLACEHOLDER, at=at(5, 11), text="TODO"),
        error(Code.EMPTY_VALUE, at=at(6, 99, "name")),
        error(Code.EMPTY_VALUE, "blank", at=at(6, None, "name")),
        error(Code.NOT_A_MANIFEST, at=Place("tasks/b.yaml")),
        error(Code.NOT_A_MANIFEST, at=Place("::error file=x::y", 1)),
    )
)
