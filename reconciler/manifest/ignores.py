"""`# taskctl: ignore[CODE, CODE]` on the line of a key: suppresses these codes for its whole value.

Warnings, notes and credentials can be ignored, other errors cannot.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from ruamel.yaml.events import ScalarEvent

from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.parse.source import Source
from reconciler.manifest.parse.spans import PARSER_ERRORS, NextEvent, Position, locate
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

_COMMENT = re.compile(r"(?<!\S)#.*?\btaskctl:[ \t]*ignore\b(?:[ \t]*\[(?P<codes>[^\]]*)\])?")
_CODES = frozenset(code.value for code in Code)
_TASK = 2
"""The length of the path of a task, the outermost value whose findings can be ignored."""


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
        if not self._by or (found.is_error and found.code is not Code.CREDENTIAL):
            return False
        path = found.path
        places: list[Path | int] = [path[:end] for end in range(_TASK, len(path) + 1)]
        if not path and found.diagnostic.line is not None:
            places = [found.diagnostic.line]
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
    found = {
        (number, match.start() + 1): match["codes"]
        for number, line in enumerate(re.split("\r\n|\r|\n", source.text), 1)
        for match in _COMMENT.finditer(line)
    }
    for place in _in_texts(source.events(), list(found)):
        del found[place]
    paths = _paths_by_line(source, list(found))
    for place, listed in found.items():
        path = paths.get(place[0])
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


def _in_texts(next_event: NextEvent, places: list[Position]) -> Iterator[Position]:
    """The places inside a quoted or block scalar, which are not comments."""
    at = 0
    with suppress(*PARSER_ERRORS):
        while at < len(places) and (event := next_event()) is not None:
            if not isinstance(event, ScalarEvent) or not event.style:
                continue
            begin, end = event.start_mark, event.end_mark
            first = (begin.line + 1, begin.column + 1)
            if event.style in ("|", ">"):
                first = (begin.line + 2, 1)
            while at < len(places) and places[at] < first:
                at += 1
            while at < len(places) and places[at] < (end.line + 1, end.column + 1):
                yield places[at]
                at += 1


def _paths_by_line(source: Source, places: list[Position]) -> dict[int, Path]:
    """The path of the outermost key on each line of `defaults` and of the tasks around `places`."""
    tasks, data = source.keys.get("tasks", {}), source.data
    starts = sorted((at, key) for key, at in tasks.items())
    nearest = {bisect_right(starts, (place, "\U0010ffff")) - 1 for place in places} - {-1}
    keys = [starts[index][1] for index in nearest]
    below: list[Path] = [("tasks", key) for key in keys]
    for key in keys:
        below += _keys(data["tasks"].get(key), ("tasks", key))
    below += _keys(data.get("defaults"), ("defaults",)) if places else ()
    spans = locate(source.events(), below) if below else {}
    lines: dict[int, Path] = {}
    for path in sorted(below, key=len):
        lines.setdefault(spans[path].key_line, path)
    return lines


def _keys(value: object, path: Path) -> Iterator[Path]:
    """The paths of all keys below a value."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            yield (*path, name)
            yield from _keys(below, (*path, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _keys(below, (*path, index))
