"""The canonical layout of a manifest: only white space changes.

Comments, anchors, quotes, escapes, numbers and block scalars are kept because values are never
rewritten: every token is copied, and only the space between tokens is generated. `fmt.py` verifies
that the meaning is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from sys import maxsize

from reconciler.manifest.parse.source import Source
from reconciler.model.value import Value

STEP = 2

_BLOCK_HEAD = re.compile(r"[|>][-+0-9]*")
_OPENING = ("FlowSequenceStart", "FlowMappingStart")
_CLOSING = ("FlowSequenceEnd", "FlowMappingEnd")
_AT_THE_EDGE = ("Directive", "DocumentStart", "DocumentEnd", "StreamEnd")
_BEFORE_A_NODE = ("Value", "BlockEntry", "Key", "Anchor", "Tag")


class Token(Value, frozen=True):
    """`kind` is ruamel.yaml's name without `Token`. `start` and `end` count characters from 0.

    `is_block`: a scalar that begins with `|` or `>`; the token is just this head.
    """

    kind: str
    start: int
    end: int
    column: int
    is_block: bool = False


class Level(Value, frozen=True):
    """An open block collection, with the old and the new column of its keys or dashes.

    `indentless`: a list whose dashes are in the column of its key. The scanner does not report its
    start.
    """

    was: int
    now: int
    is_list: bool = False
    indentless: bool = False


def lay_out(text: str, *, pure: bool) -> str:
    """The canonical layout of valid YAML whose line ends are line feeds."""
    layout = _Layout(text)
    for token in _tokens(text, pure=pure):
        layout.take(token)
    return layout.text()


def _tokens(text: str, *, pure: bool) -> Iterator[Token]:
    later = iter([*(found.end() for found in re.finditer("\n", text)), maxsize])
    line, following = 0, next(later)
    next_token = Source(text.encode("utf-8"), pure=pure).tokens()
    while (token := next_token()) is not None:
        kind, start, end = _kind(type(token).__name__), token.start_mark.index, token.end_mark.index
        while start >= following:
            line, following = following, next(later)
        if kind == "StreamEnd":
            yield Token(kind, len(text), len(text), 0)
        elif kind == "Scalar" and (head := _BLOCK_HEAD.match(text, start)):
            yield Token(kind, start, head.end(), start - line, is_block=True)
        else:
            yield Token(kind, start, end, start - line)


@cache
def _kind(name: str) -> str:
    return name.removesuffix("Token")


class _Layout:
    def __init__(self, text: str) -> None:
        self._text = text
        self._done: list[str] = []
        self._parts: list[str] = []  # of the current line
        self._shift = 0  # columns by which the current line moved to the right
        self._at = 0  # the text is copied up to here
        self._blank = False  # an empty line precedes the next line
        self._levels: tuple[Level, ...] = ()
        self._before: tuple[Level, ...] = ()  # levels open at the last visible token
        self._flow = 0
        self._last: Token | None = None
        self._at_key = False
        self._open_end = False

    @property
    def _line(self) -> str:
        """The current line, kept in parts because a flow collection may be a megabyte long."""
        return "".join(self._parts)

    @_line.setter
    def _line(self, line: str) -> None:
        self._parts = [line]

    def text(self) -> str:
        body = "\n".join(self._done)
        return body if self._open_end or not body else body + "\n"

    def take(self, token: Token) -> None:
        if token.end > token.start or token.kind == "StreamEnd":
            self._place(token)
            self._before = self._levels
            self._at_key = False
        elif token.kind in ("BlockMappingStart", "BlockSequenceStart"):
            is_list = token.kind == "BlockSequenceStart"
            self._levels += (Level(token.column, self._inside(), is_list),)
        elif token.kind == "BlockEnd":
            self._end_indentless()
            self._levels = self._levels[:-1]
        elif token.kind == "Key" and not self._flow:
            self._end_indentless()
            self._at_key = True

    def _place(self, token: Token) -> None:
        gap = self._text[self._at : token.start]
        begins = self._last is None or "\n" in gap or token.kind == "StreamEnd"
        now = self._indent(token) if begins or not self._flow else 0
        if begins:
            self._between(gap, Level(token.column, now))
            if token.kind == "StreamEnd":
                self._end_line()
                return
            self._begin_line(" " * now)
            self._shift = now - token.column
        else:
            self._parts.append(self._space_before(token))
            if not self._flow and (self._at_key or token.kind == "BlockEntry"):
                self._shift = now - token.column
        self._flow += (token.kind in _OPENING) - (token.kind in _CLOSING)
        self._copy(token)
        self._last = token

    def _copy(self, token: Token) -> None:
        text, self._at = self._text[token.start : token.end], token.end
        if token.is_block:
            self._copy_block(token, text)
        elif "\n" in text:
            first, *more = _folded_lines(text, " " * max(self._flow_indent(), STEP))
            self._line += first
            for line in more:
                self._done.append(self._line)
                self._line = line
            last = text[text.rindex("\n") + 1 :]
            was = len(last) - len(last.lstrip(" \t"))
            self._shift = len(self._line) - len(self._line.lstrip(" ")) - was
        else:
            self._parts.append(text)

    def _copy_block(self, token: Token, head: str) -> None:
        parent = self._levels[-1] if self._levels else Level(0, 0)
        self._line += head
        rest = self._text.find("\n", token.end)
        rest = len(self._text) if rest < 0 else rest
        self._beside(self._text[token.end : rest], token.end)
        lines, self._at = _block_lines(self._text, rest, head, parent)
        self._done += [self._line, *lines]
        self._line = ""
        # Without a line feed at the end of the text, adding one would change the value.
        self._open_end = bool(lines) and self._at == len(self._text) and "-" not in head

    def _indent(self, token: Token) -> int:
        """The column of a token that starts a line; opens lists without indentation."""
        if token.kind in _AT_THE_EDGE:
            return 0
        if self._flow:
            return self._flow_indent() - STEP * (token.kind in _CLOSING)
        if token.kind == "BlockEntry":
            if not self._levels[-1].is_list:
                level = Level(token.column, self._inside(), is_list=True, indentless=True)
                self._levels += (level,)
            return self._levels[-1].now
        if token.kind == "Key" or (
            token.kind == "Value" and "\n" in self._text[self._at : token.start]
        ):
            self._end_indentless()
        if self._at_key or token.kind in ("Key", "Value"):
            return self._levels[-1].now
        return self._inside()

    def _inside(self) -> int:
        return self._levels[-1].now + STEP if self._levels else 0

    def _flow_indent(self) -> int:
        """YAML requires the lines of `[` and `{` to be indented more than their parent."""
        return self._inside() + STEP * self._flow

    def _end_indentless(self) -> None:
        if self._levels and self._levels[-1].indentless:
            self._levels = self._levels[:-1]

    def _space_before(self, token: Token) -> str:
        last, kind = self._last.kind if self._last else "", token.kind
        if last in _OPENING and kind in _CLOSING:
            return ""
        if last == "FlowMappingStart" or (kind == "FlowMappingEnd" and last != "Value"):
            return " " if token.start > self._at else ""  # keep it: formatters disagree
        if last in _OPENING:
            return ""
        if kind in _CLOSING or kind == "FlowEntry":
            return " " if last == "Value" else ""
        return "" if kind == "Value" and last in ("Scalar", *_CLOSING) else " "

    def _between(self, gap: str, following: Level) -> None:
        """Comments and empty lines before a token that starts a line."""
        first, *lines = gap.split("\n") if self._last is not None else ["", *gap.split("\n")]
        self._beside(first, self._at)
        if lines and not lines[-1].strip(" \t"):
            lines.pop()
        for line in lines:
            comment = line.strip(" \t")
            if comment:
                column = len(line) - len(line.lstrip(" \t"))
                self._begin_line(" " * self._comment_indent(column, following) + comment)
            else:
                self._end_line()
                self._blank = True

    def _beside(self, rest: str, at: int) -> None:
        """A comment after a value; comments aligned with each other stay aligned."""
        comment = rest.strip(" \t")
        if not comment:
            return
        start = at + len(rest) - len(rest.lstrip(" \t"))
        column = start - self._text.rfind("\n", 0, start) - 1 + self._shift
        self._line += " " * max(1, column - len(self._line)) + comment

    def _comment_indent(self, column: int, following: Level) -> int:
        """A comment belongs to the next token or, if it is indented more, to the block that ends
        here."""
        if self._flow:
            return self._flow_indent()
        found = following
        ended = [old for old in self._before if not any(old is level for level in self._levels)]
        if self._last is not None and self._last.kind in _BEFORE_A_NODE and self._before:
            ended.append(Level(self._before[-1].was + 1, self._before[-1].now + STEP))
        for level in ended:
            if found.was < level.was <= column:
                found = level
        return found.now

    def _begin_line(self, line: str) -> None:
        self._end_line()
        if self._blank and self._done:
            self._done.append("")
        self._blank = False
        self._line = line

    def _end_line(self) -> None:
        if line := self._line.rstrip(" "):
            self._done.append(line)
        self._parts = []


def _block_lines(text: str, at: int, head: str, parent: Level) -> tuple[list[str], int]:
    """The indented lines of a block scalar whose `head` (`|2-`) is on the line that ends at `at`,
    and the index of their end."""
    given = next((int(char) for char in head if char.isdigit()), 0)
    indent = parent.was + given if given else 0
    pad = " " * (parent.now + (given or STEP))
    moved: list[str] = []
    count, end = 0, at  # without trailing empty lines: only `+` makes them content
    while at + 1 < len(text):
        stop = text.find("\n", at + 1)
        stop = len(text) if stop < 0 else stop
        line, at = text[at + 1 : stop], stop
        bare = line.lstrip(" ")
        column = len(line) - len(bare)
        if bare and not indent:  # the first line with text determines the indentation
            indent = column if column > parent.was else 0
        if bare and (indent == 0 or column < indent):
            break
        has_text = 0 < indent < len(line)
        moved.append(pad + line[indent:] if has_text else "")
        if has_text or "+" in head:
            count, end = len(moved), stop
    return moved[:count], end


def _folded_lines(scalar: str, indent: str) -> list[str]:
    """The indented lines of a plain or quoted scalar, without insignificant white space."""
    first, *middle, last = scalar.split("\n")
    is_double = scalar.startswith('"')
    lines = [first, *(line.lstrip(" \t") for line in middle)]
    lines = [*(_trimmed(line, is_double=is_double) for line in lines), last.lstrip(" \t")]
    return [lines[0], *(indent + line if line else "" for line in lines[1:])]


def _trimmed(line: str, *, is_double: bool) -> str:
    bare = line.rstrip(" \t")
    slashes = len(bare) - len(bare.rstrip("\\"))
    # In double quotes, a backslash escapes the blank that follows it.
    return line[: len(bare) + 1] if is_double and slashes % 2 else bare
