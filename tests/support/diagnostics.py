"""Diagnostics with any text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from reconciler.messages import word
from reconciler.messages.remarks import fill_in
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, Severity, TaskctlError
from reconciler.model.remarks import Arg, Remark
from reconciler.model.service import Created, CreateOutcome

Failure = TypeVar("Failure", bound=TaskctlError)


def error(
    summary: Arg,
    detail: Arg = "",
    *,
    severity: Severity = Severity.ERROR,
    file: str | None = None,
    line: int | None = None,
    column: int | None = None,
    key: str | None = None,
) -> Diagnostic:
    facts: dict[str, Arg] = {"key": "", "why": summary, "hint": detail}
    return Diagnostic(Code.TASK_PROBLEM, severity, "", facts, Place(file, line, column, key))


def warning(
    summary: Arg,
    detail: Arg = "",
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


def in_words(fact: Arg) -> str:
    return fill_in("{fact}", {"fact": fact})


def worded(outcome: CreateOutcome) -> CreateOutcome:
    """The outcome of a create, with its cause in words."""
    return outcome if isinstance(outcome, Created) else outcome._replace(why=in_words(outcome.why))


def words_of(problem: TaskctlError) -> str:
    return "; ".join(map(summary, problem.diagnostics))


@contextmanager
def raises_with(kind: type[Failure], words: str) -> Iterator[pytest.ExceptionInfo[Failure]]:
    """As `pytest.raises`; the pattern `words` is in the summaries of the diagnostics."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(words, words_of(caught.value)), words_of(caught.value)


def damage_of(problem: Diagnostic) -> tuple[Arg, Arg]:
    """Where stored data is damaged, and the case of what is wrong there."""
    reason = problem.args["reason"]
    assert isinstance(reason, Remark)
    what = reason.facts["what"]
    assert isinstance(what, Remark)
    return reason.facts["path"], what.case
