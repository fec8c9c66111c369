"""Diagnostics with any text."""

from __future__ import annotations

from typing import TypeVar

from reconciler.messages import word
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity, TaskctlError

Failure = TypeVar("Failure", bound=TaskctlError)


def error(
    summary: str,
    detail: str = "",
    *,
    severity: Severity = Severity.ERROR,
    file: str | None = None,
    line: int | None = None,
    column: int | None = None,
    key: str | None = None,
) -> Diagnostic:
    facts = {"what": summary, "hint": detail}
    return Diagnostic(Code.TASK_PROBLEM, severity, "", facts, Place(file, line, column, key))


def warning(
    summary: str,
    detail: str = "",
    *,
    file: str | None = None,
    line: int | None = None,
    column: int | None = None,
    key: str | None = None,
) -> Diagnostic:
    return error(
        summary, detail, severity=Severity.WARNING, file=file, line=line, column=column, key=key
    )


def failed(
    kind: type[Failure], summary: str, detail: str = "", *, file: str | None = None
) -> Failure:
    return kind([error(summary, detail, file=file)])


def summary(diagnostic: Diagnostic) -> str:
    return word(diagnostic).summary


def explanation(diagnostic: Diagnostic) -> str:
    return word(diagnostic).explanation
