"""A diagnostic of one file before it has a line: it is located later, all at once.

Data carries no positions (`parse/spans.py`), so a check names a path, and `located` reads the file
once more for the positions of the paths that something was found at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from heapq import nsmallest
from types import MappingProxyType
from typing import NamedTuple

from reconciler.manifest.parse.spans import NextEvent, SourceSpan, locate
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    MOST_ALIKE,
    Arg,
    DataRow,
    Diagnostic,
    Path,
    Place,
    Severity,
)

Facts = Mapping[str, Arg]
NO_FACTS: Facts = MappingProxyType({})

_TASK_PATH = 2


class Finding(NamedTuple):
    """`diagnostic` has the path that is shown; it is located at the value of `path`, or at its key
    if `on_key`, unless it has a line already.

    `secret` is text in that value: the diagnostic is located there, and the text is never shown.
    """

    diagnostic: Diagnostic
    path: Path
    on_key: bool = False
    secret: str | None = None

    @property
    def code(self) -> Code:
        return self.diagnostic.code

    @property
    def is_error(self) -> bool:
        return self.diagnostic.severity is Severity.ERROR

    @property
    def blocks(self) -> bool:
        """Whether its task cannot be built. One with a credential can: a comment in the manifest
        may accept that."""
        return self.is_error and self.code is not Code.CREDENTIAL

    def at_path(self, path: Path) -> Finding:
        """The same, found at another path."""
        place = replace(self.diagnostic.at, path=path, key=task_key(path))
        return self._replace(path=path, diagnostic=replace(self.diagnostic, at=place))

    def at_position(self, line: int, column: int) -> Finding:
        """The same, located in a file that is known from elsewhere."""
        place = replace(self.diagnostic.at, line=line, column=column)
        return self._replace(diagnostic=replace(self.diagnostic, at=place))

    def at_row(self, file: str | None, line: int) -> Finding:
        """The same, about a task that is generated from that row; without a file, the manifest."""
        place = replace(self.diagnostic.at, row=DataRow(file or "", line))
        return self._replace(diagnostic=replace(self.diagnostic, at=place))

    def in_file(self, file: str, line: int, column: int) -> Diagnostic:
        """Its diagnostic, located there."""
        found = self.diagnostic  # written out, since `replace` takes several times as long
        row = found.at.row
        row = row if row is None or row.file else DataRow(file, row.line)
        place = Place(file, line, column, found.at.key, found.at.path, row)
        return Diagnostic(found.code, found.severity, found.case, found.args, place)


def finding(
    code: Code,
    path: Path,
    case: str = "",
    facts: Facts = NO_FACTS,
    *,
    severity: Severity = Severity.ERROR,
    on_key: bool = False,
    shown: Path | None = None,
    position: tuple[int, int] | None = None,
    secret: str | None = None,
) -> Finding:
    """An error, or what `severity` says, at `path`; `shown` is the path to name, if not that one.
    `position` is its line and column (from 1), where they are known already."""
    named = path if shown is None else shown
    line, column = position or (None, None)
    place = Place(None, line, column, task_key(named), named)
    return Finding(Diagnostic(code, severity, case, facts, place), path, on_key, secret)


def warning_finding(
    code: Code,
    path: Path,
    case: str = "",
    facts: Facts = NO_FACTS,
    *,
    on_key: bool = False,
) -> Finding:
    """A finding that fails nothing."""
    return finding(code, path, case, facts, severity=Severity.WARNING, on_key=on_key)


def task_key(path: Path) -> str | None:
    """The task key that a path is about, if it is about one."""
    if len(path) >= _TASK_PATH and path[0] == "tasks" and isinstance(path[1], str):
        return path[1]
    return None


def first_alike(
    findings: Iterable[Finding], keys: Mapping[str, tuple[int, int]]
) -> tuple[list[Finding], list[tuple[Code, Severity, int]]]:
    """What must be located to show the first MOST_ALIKE with each code, and how many are left out.

    `keys` are the positions of the tasks. Whole tasks are left out, since the order within one is
    not known yet.
    """
    groups: dict[tuple[Code, Severity], list[Finding]] = {}
    for each in findings:
        groups.setdefault((each.diagnostic.code, each.diagnostic.severity), []).append(each)
    kept: list[Finding] = []
    counts = []
    for (code, severity), alike in groups.items():
        if len(alike) > MOST_ALIKE:
            starts = [_start_of_task(found, keys) for found in alike]
            last = nsmallest(MOST_ALIKE, starts)[-1]
            first = [found for found, at in zip(alike, starts, strict=True) if at <= last]
            if len(first) < len(alike):
                counts.append((code, severity, len(alike) - len(first)))
            kept += first
        else:
            kept += alike
    return kept, counts


def _start_of_task(found: Finding, keys: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    key, at = task_key(found.path), found.diagnostic.at
    if key is None:
        return at.line or 0, at.column or 0
    return keys.get(key, (0, 0))


def located(
    findings: Iterable[Finding], *, file: str, text: str, events: Callable[[], NextEvent]
) -> list[Diagnostic]:
    """The diagnostics of `findings`, each with its line and column.

    `events` starts reading the file again: only called where a position is not known yet.
    """
    found = list(findings)
    unknown = [each.path for each in found if each.diagnostic.at.line is None]
    spans = locate(events(), unknown) if unknown else {}
    lines = text.splitlines() if any(each.secret is not None for each in found) else []
    return [each.in_file(file, *_position(each, spans, lines)) for each in found]


def _position(found: Finding, spans: dict[Path, SourceSpan], lines: list[str]) -> tuple[int, int]:
    at = found.diagnostic.at
    if at.line is not None:
        return at.line, at.column or 1
    span = spans[found.path]
    if found.secret is not None:
        return _position_of_text(found.secret, span, lines)
    if found.on_key:
        return span.key_line, span.key_column
    return span.line, span.column


def _position_of_text(text: str, span: SourceSpan, lines: list[str]) -> tuple[int, int]:
    """Where `text` is in the lines of a value; the value's start where it is spelled otherwise."""
    for number in range(span.line, min(span.last_line, len(lines)) + 1):
        start = span.column - 1 if number == span.line else 0
        column = lines[number - 1].find(text, start)
        if column >= 0:
            return number, column + 1
    return span.line, span.column
