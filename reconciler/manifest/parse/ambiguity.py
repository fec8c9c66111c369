"""YAML that is legal but odd: parsers read it differently, or as something that nobody meant.

An error with its location is better than a guess. docs/reference/manifest.md has the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reconciler.manifest.finding import Finding, finding
from reconciler.model.codes import Code

_SIGNS = (b"\t", b":,", b":]", b":}")
_QUESTIONS = (b" ?", b"\n?", b"[?", b"{?", b",?")
_STARTS = (b"%", b"...")
_HASH_IN_HEAD = re.compile(rb"#(?<=[-+0-9|>]#)")
_QUOTED_KEY = re.compile(rb":(?<=[\"'\s]:)(?=[^\s,])")
"""One of these is in every file that has such a case, and in few others."""

_LAST_LINE_BLANK = re.compile(rb"[\r\n][ \t]+\Z")
_NAME_END = re.compile(r"[\s,\]}]|\Z")
_ODD_HEAD = re.compile(r"[|>][-+0-9]*(?:#| *\t)")
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def may_be_ambiguous(body: bytes) -> bool:
    """Whether a text is worth reading again for such a case."""
    if b"?" in body and (body.startswith(b"?") or any(sign in body for sign in _QUESTIONS)):
        return True
    if any(sign in body for sign in _SIGNS) or body.startswith(_STARTS):
        return True
    if any(line + sign in body for line in (b"\n", b"\r") for sign in _STARTS):
        return True
    if _HASH_IN_HEAD.search(body) is not None or _QUOTED_KEY.search(body) is not None:
        return True
    return _LAST_LINE_BLANK.search(body[-200:]) is not None


def ambiguities(text: str, tokens: Iterator[Any]) -> Iterator[Finding]:
    """The ambiguous parts of valid YAML, each with its position; `tokens` are the scanner's."""
    end, is_open, last = 0, False, ""
    flows = [""]
    for token in tokens:
        kind = type(token).__name__.removesuffix("Token")
        start, stop = token.start_mark.index, token.end_mark.index
        if kind == "StreamEnd" and is_open and _LAST_LINE_BLANK.search(text[-200:].encode()):
            yield _at(text, len(text) - 1, Code.AMBIGUOUS_YAML, "end")
        if (tab := _tab_between(text, end, start)) is not None:
            yield _at(text, tab, Code.INVALID_YAML, "tab")
        if kind == "Key" and stop > start:
            yield _at(text, start, Code.AMBIGUOUS_YAML, "question")
        if kind == "Scalar":
            is_open = token.style in ("|", ">") and _is_open(text, token)
            yield from _odd_scalar(text, start, stop, token)
        if kind in ("FlowSequenceStart", "FlowMappingStart"):
            flows.append(kind)
        elif kind in ("FlowSequenceEnd", "FlowMappingEnd"):
            flows.pop()
        if kind == "Value" and flows[-1] == "FlowSequenceStart" and _is_text(text[stop]):
            yield _at(text, start, Code.INVALID_YAML, "list")
        if kind == last == "DocumentEnd":
            yield _at(text, start, Code.INVALID_YAML, "document")
        if kind == "Directive" and token.name not in ("YAML", "TAG"):
            yield _at(text, start, Code.INVALID_YAML, "directive")
        end, last = max(end, stop), kind


def _odd_scalar(text: str, start: int, stop: int, token: Any) -> Iterator[Finding]:
    if not token.style and token.value.endswith(":"):
        yield _at(text, start, Code.AMBIGUOUS_YAML, "colon")
    if not token.style and "\t" in text[start:stop]:
        yield _at(text, text.index("\t", start), Code.INVALID_YAML, "tab")
    if token.style in ("|", ">") and token.value.lstrip("\n").startswith("\t"):
        yield _at(text, text.index("\t", start), Code.INVALID_YAML, "tab")
    elif token.style in ("|", ">") and (head := _ODD_HEAD.match(text, start)):
        yield _at(text, head.end() - 1, Code.INVALID_YAML, "block")


def _is_text(character: str) -> bool:
    """Whether `:` and this, in a list in brackets, is a value only for some parsers."""
    return not character.isspace() and character not in ",[]{}"


def ambiguous_name(text: str, start: int, sign: str, name: str) -> int | None:
    """Where the name of an anchor (`sign` is `&`) or alias (`*`) is, from the start of its node, if
    parsers disagree about its end; None if they agree."""
    at = text.find(f"{sign}{name}", start)
    if _NAME.fullmatch(name) and _NAME_END.match(text, at + 1 + len(name)):
        return None
    return at - start


def _is_open(text: str, token: Any) -> bool:
    """Whether white space at the end of a block scalar belongs to it."""
    head = re.match(r"[|>][-+0-9]*", text[token.start_mark.index :])
    return (head is not None and "+" in head[0]) or token.value.endswith((" ", "\t"))


def _tab_between(text: str, start: int, end: int) -> int | None:
    """The first tab in front of a token or a comment, between two tokens."""
    gap = text[start:end]
    if "\t" not in gap:
        return None
    offset = start
    for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", gap):
        blank = line.partition("#")[0]
        if "\t" in blank:
            return offset + blank.index("\t")
        offset += len(line)
    return None


def _at(text: str, index: int, code: Code, case: str) -> Finding:
    lines = re.split("\r\n|\r|\n", text[:index])
    return finding(code, (), case, position=(len(lines), len(lines[-1]) + 1))
