"""Source positions: the lines and columns of paths into the data.

The data itself carries no positions. They are read from the parser's events in a second pass, and
only for paths with a diagnostic: most files have none.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.model.diagnostics import Path
from reconciler.model.value import Value

NextEvent = Callable[[], Any]
"""Returns the next parser event or scanner token, None after the last."""

PARSER_ERRORS = (YAMLError, ValueError, OverflowError, AssertionError)
"""The exceptions of the parsers for invalid YAML; only the Python parser raises all but the
first."""

Position = tuple[int, int]
"""A line and a column, both from 1; columns count characters."""


class SourceSpan(Value, frozen=True):
    """The start of a key, and the start and last line of its value. A list item is its own key.

    Lines and columns count from 1, columns in characters. `key_width` and `width` are the lengths
    of the key and the value, 0 if they have more than one line.
    """

    key_line: int
    key_column: int
    line: int
    column: int
    last_line: int
    key_width: int = 0
    width: int = 0


class LineIndex:
    """The positions of the characters of a text, which is searched for line breaks only once."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._starts = [0, *(found.end() for found in re.finditer("\r\n|\r|\n", text))]

    def position(self, offset: int) -> Position:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def offset(self, line: int, column: int) -> int:
        """The offset of a position; the end of the text for a line after the last line."""
        return self._starts[line - 1] + column - 1 if line <= len(self._starts) else self._length


class _Node:
    """One step of the requested paths, as a tree, and its span once it was found."""

    __slots__ = ("below", "is_requested", "span")

    def __init__(self) -> None:
        self.below: dict[str | int, _Node] = {}
        self.is_requested = False
        self.span: SourceSpan | None = None


class _AllFound(Exception):  # noqa: N818
    """Every requested path has its span: the rest of the file need not be read."""


def locate(next_event: NextEvent, paths: Iterable[Path]) -> dict[Path, SourceSpan]:
    """The spans of `paths`; for a path that does not exist (such as a path inside an alias), the
    span of its nearest parent. In a file with a syntax error, nothing after the error is found.
    """
    requested = tuple(dict.fromkeys(paths))
    if not requested:
        return {}
    root = _Node()
    for path in requested:
        node = root
        for step in path:
            node = node.below.setdefault(step, _Node())
        node.is_requested = True
    with suppress(_AllFound, *PARSER_ERRORS):
        _Locator(next_event, len(requested)).document(root)
    return {path: _nearest(root, path) for path in requested}


def _nearest(root: _Node, path: Path) -> SourceSpan:
    node, found = root, root.span or SourceSpan(1, 1, 1, 1, 1)
    for step in path:
        node = node.below[step]
        found = node.span or found  # a parent's span is unknown until its last value
    return found


class _Locator:
    def __init__(self, next_event: NextEvent, count: int) -> None:
        self._next = next_event
        self._missing = count

    def document(self, root: _Node) -> None:
        """Reads the first document that is not empty."""
        while (event := self._next()) is not None:
            if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
                self._value(event, root, event)
                if not isinstance(event, ScalarEvent):
                    return

    def _value(self, event: Any, node: _Node | None, key: Any) -> None:
        if node is None or node.span is not None:  # the first of duplicate keys counts
            self._skip(event)
            return
        first = last = event
        if isinstance(event, ScalarEvent) and not event.value and not event.style:
            first = last = key  # the parsers disagree on the position of an empty value
        if isinstance(event, MappingStartEvent):
            last = self._mapping(node)
        elif isinstance(event, SequenceStartEvent):
            last = self._sequence(node)
        begin, end = first.start_mark, last.end_mark
        node.span = SourceSpan(
            key_line=key.start_mark.line + 1,
            key_column=key.start_mark.column + 1,
            line=begin.line + 1,
            column=begin.column + 1,
            last_line=end.line + (end.column > 0),
            key_width=_width(key.start_mark, key.end_mark),
            width=_width(begin, end),
        )
        self._missing -= node.is_requested
        if self._missing == 0:
            raise _AllFound

    def _mapping(self, node: _Node) -> Any:
        while not isinstance(event := self._next(), MappingEndEvent):
            below = node.below.get(event.value) if isinstance(event, ScalarEvent) else None
            if below is None:
                self._skip(event)
            self._value(self._next(), below, event)
        return event

    def _sequence(self, node: _Node) -> Any:
        index = 0
        while not isinstance(event := self._next(), SequenceEndEvent):
            self._value(event, node.below.get(index), event)
            index += 1
        return event

    def _skip(self, event: Any) -> None:
        depth = 0
        while True:
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                depth += 1
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                depth -= 1
            if depth == 0:
                return
            event = self._next()


def _width(begin: Any, end: Any) -> int:
    return end.column - begin.column if begin.line == end.line else 0
