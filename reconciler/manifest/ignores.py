"""`# taskctl: ignore[CODE, CODE]` on the line of a key: suppresses these codes for its whole value.

Warnings, notes and IGNORABLE_ERRORS can be ignored, other errors cannot.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.parse.source import Source
from reconciler.manifest.parse.spans import LineIndex, NextEvent, Position
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

_COMMENT = re.compile(
    r"(?<!\S)#(?:"
    r"[^\r\n]*?\btaskctl:[ \t]*(?P<ignore>ignore)\b(?:[ \t]*\[(?P<codes>[^]#\r\n]*)\])?"
    r"|[^\r\n]*+)"  # a line without one is searched once, however often it has a `#`
)
_CODES = frozenset(code.value for code in Code)
_TASK = 2
"""The length of the path of a task, the outermost value whose findings can be ignored."""

_BEFORE_KEY = -1
"""The last step of a path in a mapping, between two values."""


@dataclass(slots=True)
class _Ignore:
    code: str
    at: Position
    path: Path
    is_used: bool = False


@dataclass(slots=True)
class Ignores:
    """The comments of one manifest. `wrong` are findings for invalid ones."""

    listed: list[_Ignore] = field(default_factory=list)
    wrong: list[Finding] = field(default_factory=list)
    _by: dict[tuple[str, Path | int], _Ignore] = field(default_factory=dict)

    def add(self, ignore: _Ignore) -> None:
        self.listed.append(ignore)
        self._by[ignore.code, ignore.path] = self._by[ignore.code, ignore.at[0]] = ignore

    def take(self, found: Finding) -> bool:
        """Whether a finding is ignored: by a comment at a key of its path or, if it has a position
        instead of a path, on its line."""
        if not self._by or found.blocks:
            return False
        path = found.path
        places: list[Path | int] = [path[:end] for end in range(_TASK, len(path) + 1)]
        if not path and found.position is not None:
            places = [found.position[0]]
        hits = [hit for at in places if (hit := self._by.get((found.code.value, at))) is not None]
        for hit in hits:
            hit.is_used = True
        return bool(hits)

    def unused(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Warnings for comments without effect; `findings` are those of the file. Not all checks
        run for a task with errors, so there, only comments for one of these errors are reported."""
        yield from self.wrong
        if all(each.is_used for each in self.listed):
            return
        errors: dict[Path, set[str]] = {}
        for found in findings:
            if found.blocks:
                errors.setdefault(found.path[:_TASK], set()).add(found.code.value)
        for each in self.listed:
            own = errors.get(each.path[:_TASK])
            if not each.is_used and (own is None or each.code in own):
                unused = warning_finding(Code.UNUSED_IGNORE, each.path, "", {"code": each.code})
                yield unused.at_position(*each.at)


def read_ignores(source: Source) -> Ignores:
    """The comments of a manifest; none if the file cannot be read completely."""
    ignores = Ignores()
    if not isinstance(source.data, dict):
        return ignores
    text = source.text
    lines = LineIndex(text)
    found = [
        (lines.position(match.start()), match["codes"])
        for match in _COMMENT.finditer(text)
        if match["ignore"]
    ]
    paths = _paths_by_place(source.events(), [place for place, _ in found])
    for place, listed in found:
        if place not in paths:
            continue
        path = paths[place]
        codes = [code.strip() for code in (listed or "").split(",")]
        is_valid = _CODES.issuperset(codes)
        if path is None or not is_valid:
            case = "place" if is_valid else "code"
            wrong = warning_finding(Code.UNUSED_IGNORE, path or (), case)
            ignores.wrong.append(wrong.at_position(*place))
        else:
            for code in codes:
                ignores.add(_Ignore(code, place, path))
    return ignores


def _paths_by_place(next_event: NextEvent, places: list[Position]) -> dict[Position, Path | None]:
    """The path of the outermost key on the line of each place, in a task or in `defaults`: None if
    there is none. Places in a quoted or block scalar, which are not comments, are left out."""
    wanted = {line for line, _ in places}
    last = max(wanted, default=0)
    keys: dict[int, Path] = {}
    texts: set[Position] = set()
    path: list[str | int] = []
    at = 0
    while (event := next_event()) is not None and event.start_mark.line < last:
        kind = type(event)
        if kind is ScalarEvent:
            if event.style:
                at, after = (bisect_left(places, edge, at) for edge in _edges(event))
                texts.update(places[at:after])
            if path and path[-1] == _BEFORE_KEY:
                path[-1] = event.value
                line = event.start_mark.line + 1
                if line in wanted and len(path) >= _TASK and path[0] in ("tasks", "defaults"):
                    known = keys.get(line)
                    if known is None or len(path) < len(known):
                        keys[line] = tuple(path)
                continue
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            path.append(_BEFORE_KEY if kind is MappingStartEvent else 0)
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            path.pop()
        elif kind is not AliasEvent:
            continue
        if path:
            step = path[-1]
            path[-1] = step + 1 if isinstance(step, int) else _BEFORE_KEY
    return {place: keys.get(place[0]) for place in places if place not in texts}


def _edges(scalar: ScalarEvent) -> Iterator[Position]:
    """The start and the end of the text of a quoted or block scalar."""
    begin, end = scalar.start_mark, scalar.end_mark
    is_block = scalar.style in ("|", ">")
    yield (begin.line + 2, 1) if is_block else (begin.line + 1, begin.column + 1)
    yield end.line + 1, end.column + 1
