"""Problems of one file before their lines are known: they are located together, later.

Data has no positions (`parse/spans.py`), so a check refers to a path, and `located` reads the file
again for the positions of these paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from reconciler.manifest.credentials import may_have_credentials
from reconciler.manifest.parse.spans import LineIndex, NextEvent, Position, SourceSpan, locate
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import DataRow, Diagnostic, Excerpt, Path, Place, Severity
from reconciler.model.remarks import Arg, RemarkError
from reconciler.model.value import Value, replace

Facts = Mapping[str, Arg]
NO_FACTS: Facts = MappingProxyType({})


class Finding(Value, frozen=True):
    """A problem at the value of `path`, or at its key if `on_key`. `position` is known for some.

    Messages show the path `shown`, if it is given. `secret` is a part of the value that must never
    be shown: the diagnostic is located there. A problem of a generated task has its `row`, and the
    task's `key` if `path` is that of its entry.
    """

    code: Code
    path: Path
    case: str = ""
    facts: Facts = NO_FACTS
    severity: Severity = Severity.ERROR
    on_key: bool = False
    shown: Path | None = None
    position: Position | None = None
    secret: str | None = None
    row: DataRow | None = None
    key: str | None = None

    def __hash__(self) -> int:
        facts = frozenset(self.facts.items())
        return hash((self.code, self.path, self.case, facts, self.shown, self.position))

    @property
    def task(self) -> str | None:
        """The key of the task that `path` is in."""
        return _task_key(self.path)

    @property
    def shown_path(self) -> Path:
        return self.path if self.shown is None else self.shown

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @classmethod
    def of(cls, problem: RemarkError, path: Path, position: Position | None = None) -> Finding:
        return cls(problem.code, path, problem.case, problem.facts, position=position)

    def at_path(self, path: Path) -> Finding:
        """The same finding at another path."""
        return replace(self, path=path, shown=None)

    def at_position(self, line: int, column: int) -> Finding:
        """The same finding with a known position."""
        return replace(self, position=(line, column))

    def at_row(self, file: str | None, line: int) -> Finding:
        """The same finding about a task generated from a row of `file` (None: the manifest)."""
        return replace(self, row=DataRow(file or "", line))

    def in_named_file(self, file: str) -> Finding:
        """The same finding in another file that the manifest refers to, with its line in that
        file."""
        line, _ = self.position or (1, 1)
        return replace(self, path=(), shown=None, position=None, on_key=False).at_row(file, line)

    def in_file(self, file: str, line: int, column: int) -> Diagnostic:
        """The finding as a diagnostic, located in the file."""
        path, row = self.shown_path, self.row
        row = row if row is None or row.file else DataRow(file, row.line)
        place = Place(file, line, column, self.key or _task_key(path), path, row)
        return Diagnostic(self.code, self.severity, self.case, self.facts, place)


def warning_finding(
    code: Code, path: Path, case: str = "", facts: Facts = NO_FACTS, *, on_key: bool = False
) -> Finding:
    return Finding(code, path, case, facts, Severity.WARNING, on_key)


def too_many_errors() -> Finding:
    """The finding that ends the search for errors in a file."""
    return Finding(Code.TOO_MANY_ERRORS, (), "", {"limit": limits.FILE_ERRORS}, position=(1, 1))


def _task_key(path: Path) -> str | None:
    if len(path) > 1 and path[0] == "tasks" and isinstance(path[1], str):
        return path[1]
    return None


class _Location(Value, frozen=True):
    """The location of a finding. `width` is 0 if the text to mark does not end on this line."""

    line: int
    column: int
    width: int = 0


def located(
    findings: Iterable[Finding],
    *,
    file: str,
    text: str = "",
    events: Callable[[], NextEvent] | None = None,
    excerpts: bool = False,
) -> list[Diagnostic]:
    """The diagnostics of `findings`, each with its line and column, and with `excerpts` of `text`
    unless that may have credentials.

    `events` starts reading the file again; it is only called for findings without a position.
    """
    every = list(findings)
    if not every:
        return []
    unknown = [f.path for f in every if f.position is None]
    spans = locate(events(), unknown) if unknown and events is not None else {}
    lines = LineIndex(text)
    # A credential may have escapes or several lines: check the whole text, not each excerpt.
    excerpts = excerpts and all(f.secret is None for f in every) and not may_have_credentials(text)
    diagnostics = []
    for finding in every:
        at = _location(finding, spans, text, lines)
        diagnostic = finding.in_file(file, at.line, at.column)
        if excerpts and (finding.path or (at.line, at.column) != (1, 1)):
            diagnostic = replace(diagnostic, excerpt=_excerpt(at, text, lines))
        diagnostics.append(diagnostic)
    return diagnostics


def _location(
    finding: Finding, spans: dict[Path, SourceSpan], text: str, lines: LineIndex
) -> _Location:
    if finding.position is not None:
        line, column = finding.position
        begin = lines.offset(line, column)
        word = re.compile(r"[\w./-]+").match(text, begin)
        return _Location(line, column, word.end() - begin if word else 1)
    span = spans[finding.path]
    if finding.on_key:
        return _Location(span.key_line, span.key_column, span.key_width)
    part = finding.secret or (str(finding.facts["text"]) if finding.code in _QUOTING else "")
    begin = lines.offset(span.line, span.column)
    end = begin + span.width if span.width else lines.offset(span.last_line + 1, 1)
    if part:
        pattern = re.escape(part)
        if finding.code is Code.INVALID_TEMPLATE and not part.startswith("{{"):
            pattern = rf"\{{\{{[ \t]*+{pattern}"
        if (match := re.compile(pattern).search(text, begin, end)) is not None:
            return _Location(*lines.position(match.start()), len(match[0]))
    return _Location(span.line, span.column, span.width)


_QUOTING = (Code.PLACEHOLDER, Code.RESERVED_LINE, Code.INVALID_TEMPLATE, Code.HIDDEN_CHARACTER)
"""The codes whose fact `text` is a part of the value."""

_SHOWN = 200
"""The maximum length of each part of an excerpt, in characters."""


def _excerpt(at: _Location, text: str, lines: LineIndex) -> Excerpt | None:
    begin, last = lines.offset(at.line, 1), lines.offset(at.line + 1, 1)
    start = min(lines.offset(at.line, at.column), last)
    end = min(start + at.width, last) if at.width else last
    before = text[max(begin, start - _SHOWN) : start]
    marked = text[start : min(end, start + _SHOWN)].rstrip("\r\n")
    after = text[end : min(last, end + _SHOWN)].rstrip("\r\n")
    return Excerpt(before, marked, after) if f"{before}{marked}{after}".strip() else None
