"""Comments in manifests: those that suppress diagnostics, and those that cut off a prompt.

`# taskctl: ignore[CODE, CODE]` on the line of a key suppresses these codes for its whole value.
Warnings, notes and IGNORABLE_ERRORS can be ignored, other errors cannot.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

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
from reconciler.manifest.parse.spans import PARSER_ERRORS, LineIndex, NextEvent, Position
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

IGNORABLE_ERRORS = frozenset({Code.CREDENTIAL, Code.CUT_OFF_PROMPT, Code.DUPLICATE_WORK})
"""Mistakes that would start a paid agent, unless a comment confirms that they are intentional."""

_IGNORE = (  # compiled on first use: few files need it
    r"(?<!\S)#(?:"
    r"[^\r\n]*?\btaskctl:[ \t]*(?P<ignore>ignore)\b(?:[ \t]*\[(?P<codes>[^]#\r\n]*)\])?"
    r"|[^\r\n]*+)"  # a line without a match is searched once, however often it has a `#`
)
_TASK = 2
"""The length of the path of a task, the outermost value whose findings can be ignored."""

_BEFORE_KEY = -1
"""The last step of a path in a mapping whose next key has not been read."""


def blocks(found: Finding) -> bool:
    """Whether a finding is an error that no comment can suppress, because its task cannot be
    built."""
    return found.is_error and found.code not in IGNORABLE_ERRORS


class _Ignore:
    def __init__(self, code: str, at: Position, path: Path) -> None:
        self.code, self.at, self.path = code, at, path
        self.is_used = False


class IgnoreComments:
    """The comments of one manifest. `wrong` are findings for invalid comments."""

    def __init__(self) -> None:
        self.listed: list[_Ignore] = []
        self.wrong: list[Finding] = []
        self._by: dict[tuple[str, Path | int], _Ignore] = {}

    def add(self, ignore: _Ignore) -> None:
        self.listed.append(ignore)
        self._by[ignore.code, ignore.path] = self._by[ignore.code, ignore.at[0]] = ignore

    def take(self, finding: Finding) -> bool:
        """Whether a finding is ignored by a comment at a key of its path or, if it has a position
        instead of a path, on its line. Marks these comments as used."""
        if not self._by or blocks(finding):
            return False
        path = finding.path
        places: list[Path | int] = [path[:end] for end in range(_TASK, len(path) + 1)]
        if not path and finding.position is not None:
            places = [finding.position[0]]
        hits = [hit for at in places if (hit := self._by.get((finding.code.value, at))) is not None]
        for hit in hits:
            hit.is_used = True
        return bool(hits)

    def unused(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Warnings for comments without effect; `findings` are those of the file. Not all checks
        run for a task with errors, so only its comments about these errors are reported."""
        yield from self.wrong
        if all(ignore.is_used for ignore in self.listed):
            return
        errors: dict[Path, set[str]] = {}
        for finding in findings:
            if blocks(finding):
                errors.setdefault(finding.path[:_TASK], set()).add(finding.code.value)
        for ignore in self.listed:
            own = errors.get(ignore.path[:_TASK])
            if not ignore.is_used and (own is None or ignore.code in own):
                unused = warning_finding(Code.UNUSED_IGNORE, ignore.path, "", {"code": ignore.code})
                yield unused.at_position(*ignore.at)


def read_ignore_comments(source: Source) -> IgnoreComments:
    """The comments of a manifest; none if the file cannot be read completely."""
    ignores = IgnoreComments()
    if not isinstance(source.data, dict):
        return ignores
    text = source.text
    lines = LineIndex(text)
    found = [
        (lines.position(match.start()), match["codes"])
        for match in re.finditer(_IGNORE, text)
        if match["ignore"]
    ]
    paths = _paths_by_place(source.events(), [place for place, _ in found])
    for place, listed in found:
        if place not in paths:
            continue
        path = paths[place]
        codes = [code.strip() for code in (listed or "").split(",")]
        is_valid = {*Code}.issuperset(codes)
        if path is None or not is_valid:
            case = "place" if is_valid else "code"
            wrong = warning_finding(Code.UNUSED_IGNORE, path or (), case)
            ignores.wrong.append(wrong.at_position(*place))
        else:
            for code in codes:
                ignores.add(_Ignore(code, place, path))
    return ignores


def _paths_by_place(next_event: NextEvent, places: list[Position]) -> dict[Position, Path | None]:
    """The path of the outermost key on the line of each position; None if no key of a task or of
    `defaults` is there. Omits positions in a quoted or block scalar, which are not comments."""
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


_PROMPTS = ("message", "content", "prompt")
# Compiled on first use, which few files need. Possessive, so that no text causes backtracking. The
# end is optional, so that a text in which `message:` is repeated is searched only once.
_CUT_OFF = (
    rb"""(?:message|content|prompt)["']?[ \t]*+:[ \t\r\n]++(?![|>'"#])"""
    rb"""(?:[^#\r\n:]|:[ \t\r\n]*+|(?<=[^ \t])\#)*+"""
    rb"""((?=(?:[\r\n]++[ \t]++(?:[^#\r\n:]|(?<=[^ \t])\#)*+)*+(?<=[ \t])\#))?"""
)
_COMMENT = r"[ \t]+#|[ \t]*(?:\r\n|\r|\n)(?P<indent> +)#"
_DIRECTIVE = r"#[ \t]*taskctl:"


def cut_off_prompts(source: Source) -> Iterator[Finding]:
    """An error for each comment that cuts off a prompt: `message: Fix issue #412` is the prompt
    `Fix issue`. The comment follows an unquoted prompt on the same line, or on the next line,
    indented more than the key. taskctl's own comments do not count."""
    if not any(match[1] is not None for match in re.finditer(_CUT_OFF, source.body)):
        return
    text = source.text
    lines = LineIndex(text)
    with suppress(*PARSER_ERRORS):
        for key, value in _unquoted_prompts(source.events()):
            end = value.end_mark
            match = re.compile(_COMMENT).match(text, end.index)
            is_key = re.compile(r"[ \t]*:").match(text, key.end_mark.index)
            if not is_key or not match or re.compile(_DIRECTIVE).match(text, match.end() - 1):
                continue
            indent = match["indent"]
            if indent is None or len(indent) > key.start_mark.column:
                at = lines.position(match.end() - 1)
                yield Finding(Code.CUT_OFF_PROMPT, ()).at_position(*at)


def _unquoted_prompts(next_event: NextEvent) -> Iterator[tuple[Any, Any]]:
    """The events of each text that may be the key of a prompt, and of the unquoted text after
    it."""
    key = None
    while (event := next_event()) is not None:
        is_scalar = type(event) is ScalarEvent
        if is_scalar and key is not None and not event.style:
            yield key, event
        key = event if is_scalar and event.value in _PROMPTS else None
