"""Problems as values: found anywhere, collected, sorted late and worded once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

POLICY = "policy: "
"""What the message begins with where a task breaks the policy of its repository."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem and where it is.

    `summary` is one line, `WHERE: WHAT` (for example `tasks.rotate.planMode: ...`); `detail` says
    why it matters and what to do, and may have several lines. `line` and `column` count from 1.
    """

    severity: Severity
    summary: str
    detail: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    key: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "severity": self.severity.value,
            "summary": self.summary,
            "detail": self.detail,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "key": self.key,
        }


def error(summary: str, detail: str = "", **place: Any) -> Diagnostic:
    """A diagnostic that fails the run; `place` is file, line, column and key."""
    return Diagnostic(Severity.ERROR, summary, detail, **place)


def warning(summary: str, detail: str = "", **place: Any) -> Diagnostic:
    """A diagnostic that is shown and fails nothing; `place` is file, line, column and key."""
    return Diagnostic(Severity.WARNING, summary, detail, **place)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By file, line and column; those without a place come first; equal ones once."""
    unique = dict.fromkeys(diagnostics)
    return sorted(
        unique, key=lambda d: (d.file or "", d.line or 0, d.column or 0, d.severity, d.summary)
    )


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity is Severity.ERROR for d in diagnostics)
