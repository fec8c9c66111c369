"""A problem of one file before it has a line: where in the data it is, and what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from reconciler.manifest.parse.spans import NextEvent, Spot, locate
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Path, Place, Severity
from reconciler.model.paths import shown


class Problem(NamedTuple):
    """`what` goes behind the path in the summary; `shown_path` stands in for the path there.

    It is shown at the value of `path`, or at its key where `on_key`. `line` and `column` from 1:
    where they are known already. `secret` is text to look for from the value's begin on: the
    problem is shown there, and the text nowhere.
    """

    path: Path
    what: str
    detail: str = ""
    severity: Severity = Severity.ERROR
    on_key: bool = False
    shown_path: Path | None = None
    line: int | None = None
    column: int | None = None
    secret: str | None = None

    @property
    def where(self) -> str:
        return shown(self.path if self.shown_path is None else self.shown_path)

    @property
    def key(self) -> str | None:
        """The task key that the problem is about, if it is about one."""
        path = self.path if self.shown_path is None else self.shown_path
        if len(path) > 1 and path[0] == "tasks" and isinstance(path[1], str):
            return path[1]
        return None


def placed(
    problems: Iterable[Problem], *, file: str, text: str, events: Callable[[], NextEvent]
) -> list[Diagnostic]:
    """The diagnostics of `problems`, each with its line and column.

    `events` begins to read the file once more: needed only where a place is not known yet.
    """
    found = list(problems)
    unplaced = [problem.path for problem in found if problem.line is None]
    spots = locate(events(), unplaced) if unplaced else {}
    lines = text.splitlines() if any(p.secret is not None for p in found) else []
    return [_diagnostic(problem, file, spots.get(problem.path), lines) for problem in found]


def _diagnostic(problem: Problem, file: str, spot: Spot | None, lines: list[str]) -> Diagnostic:
    line, column = problem.line, problem.column
    if line is None and spot is not None:
        line, column = spot.line, spot.column
        if problem.on_key:
            line, column = spot.key_line, spot.key_column
        if problem.secret is not None:
            line, column = _place_of_text(problem.secret, spot, lines)
    return Diagnostic(
        Code.UNCLASSIFIED,
        problem.severity,
        args={"summary": f"{problem.where}: {problem.what}", "detail": problem.detail},
        at=Place(file, line, column, problem.key),
    )


def _place_of_text(wanted: str, spot: Spot, lines: list[str]) -> tuple[int, int]:
    """Where `wanted` stands in the lines of a value; its begin where it is spelled otherwise."""
    for number in range(spot.line, min(spot.last_line, len(lines)) + 1):
        begin = spot.column - 1 if number == spot.line else 0
        column = lines[number - 1].find(wanted, begin)
        if column >= 0:
            return number, column + 1
    return spot.line, spot.column
