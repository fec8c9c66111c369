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
"""One of these is in every file that has such a case, and in few others."""

_LAST_LINE_BLANK = re.compile(rb"[\r\n][ \t]+\Z")
_NAME_END = re.compile(r"[\s,\[\]{}]|\Z")
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def may_be_ambiguous(body: bytes) -> bool:
    """Whether a text is worth reading again for such a case."""
    if b"?" in body and (body.startswith(b"?") or any(sign in body for sign in _QUESTIONS)):
        return True
    return any(sign in body for sign in _SIGNS) or _LAST_LINE_BLANK.search(body[-200:]) is not None


def ambiguities(text: str, tokens: Iterator[Any]) -> Iterator[Finding]:
    """The ambiguous parts of valid YAML, each with its position; `tokens` are the scanner's."""
    end, is_open = 0, False
    for token in tokens:
        kind = type(token).__name__
        start = token.start_mark.index
        if kind == "StreamEndToken":
            tab = None
            if is_open and _LAST_LINE_BLANK.search(text[-200:].encode("utf-8", "replace")):
                yield _at(text, len(text) - 1, Code.AMBIGUOUS_YAML, "end")
        else:
            tab = _tab_between(text, end, start)
        if tab is not None:
            yield _at(text, tab, Code.INVALID_YAML, "tab")
        if kind == "KeyToken" and token.end_mark.index > start:
            yield _at(text, start, Code.AMBIGUOUS_YAML, "question")
        if kind == "ScalarToken":
            is_open = token.style in ("|", ">") and _is_open(text, token)
            if not token.style and token.value.endswith(":"):
                yield _at(text, start, Code.AMBIGUOUS_YAML, "colon")
        end = max(end, token.end_mark.index)


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
    *before, last = re.split(r"(?<=\n)|(?<=\r)(?!\n)", gap)
    offset = start
    for line in before:
        blank, hash_sign, _ = line.partition("#")
        if hash_sign and "\t" in blank:
            return offset + blank.index("\t")
        offset += len(line)
    return offset + last.index("\t") if "\t" in last else None


def _at(text: str, index: int, code: Code, case: str) -> Finding:
    lines = re.split("\r\n|\r|\n", text[:index])
    return finding(code, (), case, position=(len(lines), len(lines[-1]) + 1))
