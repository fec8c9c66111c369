"""Valid but ambiguous YAML: parsers disagree about it, or read something that the author did not
mean.

An error with its location is better than a guess. docs/reference/manifest.md has the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.parse.spans import PARSER_ERRORS, LineIndex, NextEvent
from reconciler.model.codes import Code

if TYPE_CHECKING:
    from reconciler.manifest.parse.source import Source

_SIGNS = {
    b"\t": (b"\t",),
    b"?": (b" ?", b"\n?", b"[?", b"{?", b",?"),
    b"%": (b"\n%", b"\r%"),
    b"...": (b"\n...", b"\r..."),
}
"""Every ambiguous file contains one of these, or a match of the patterns below, and few others do.
The keys are searched first: each is rare, and quick to search for."""
_HASH_IN_HEAD = re.compile(rb"#(?<=[-+0-9|>]#)")
_ODD_COLON = re.compile(rb":(?:(?<=[\"'\s]:)(?=[^\s,])|[,\]}])")

_LAST_LINE_BLANK = re.compile(rb"[\r\n][ \t]+\Z")
_NAME_END = re.compile(r"[\s,\]}]|\Z")
_HEAD = re.compile(r"[|>][-+0-9]*")
_ODD_HEAD = re.compile(r"[|>][-+0-9]*(?:#| *\t)")
_NAME = re.compile(r"[A-Za-z0-9_-]+")

_PROMPTS = ("message", "content", "prompt")
# Compiled on first use, which few files need. Possessive, so that no text causes backtracking.
_CUT_OFF = (
    rb"""(?:message|content|prompt)["']?[ \t]*+:[ \t\r\n]++(?![|>'"#])"""
    rb"""(?:[^#\r\n]|(?<=[^ \t])\#)*+"""
    rb"""(?:[\r\n]++[ \t]++(?:[^#\r\n:]|(?<=[^ \t])\#)*+)*+(?<=[ \t])\#"""
)
_COMMENT = r"[ \t]+#|[ \t]*(?:\r\n|\r|\n)(?P<indent> +)#"
_DIRECTIVE = r"#[ \t]*taskctl:"


def may_be_ambiguous(body: bytes) -> bool:
    """Whether a text is worth a second pass that looks for ambiguities."""
    if body.startswith((b"?", b"%", b"...")):
        return True
    if any(sign in body and any(odd in body for odd in odds) for sign, odds in _SIGNS.items()):
        return True
    if _HASH_IN_HEAD.search(body) is not None or _ODD_COLON.search(body) is not None:
        return True
    return _LAST_LINE_BLANK.search(body[-200:]) is not None


def ambiguities(text: str, next_token: NextEvent) -> Iterator[Finding]:
    """The ambiguous parts of valid YAML, each with its position."""
    lines = LineIndex(text)
    with suppress(*PARSER_ERRORS):  # the C scanner rejects some valid YAML
        for index, code, case in _ambiguous_parts(text, next_token):
            yield Finding(code, (), case, position=lines.position(index))


def _ambiguous_parts(text: str, next_token: NextEvent) -> Iterator[tuple[int, Code, str]]:
    end, is_open, last = 0, False, ""
    flows = [""]
    while (token := next_token()) is not None:
        kind = type(token).__name__.removesuffix("Token")
        start, stop = token.start_mark.index, token.end_mark.index
        if kind == "StreamEnd" and is_open and _LAST_LINE_BLANK.search(text[-200:].encode()):
            yield len(text) - 1, Code.AMBIGUOUS_YAML, "end"
        if (tab := _tab_between(text, end, start)) is not None:
            yield tab, Code.INVALID_YAML, "tab"
        if kind == "Key" and stop > start:
            yield start, Code.AMBIGUOUS_YAML, "question"
        if kind == "Scalar":
            is_open = token.style in ("|", ">") and _is_open(text, token)
            yield from _odd_scalar(text, start, stop, token)
        if kind in ("FlowSequenceStart", "FlowMappingStart"):
            flows.append(kind)
        elif kind in ("FlowSequenceEnd", "FlowMappingEnd"):
            flows.pop()
        # Within `[...]`, parsers disagree on whether a `:` directly before text ends a key.
        if kind == "Value" and flows[-1] == "FlowSequenceStart" and _is_text(text[stop]):
            yield start, Code.INVALID_YAML, "list"
        if kind == last == "DocumentEnd":
            yield start, Code.INVALID_YAML, "document"
        if kind == "Directive" and token.name not in ("YAML", "TAG"):
            yield start, Code.INVALID_YAML, "directive"
        end, last = max(end, stop), kind


def _is_text(character: str) -> bool:
    return not character.isspace() and character not in ",[]{}"


def _odd_scalar(text: str, start: int, stop: int, token: Any) -> Iterator[tuple[int, Code, str]]:
    if not token.style and token.value.endswith(":"):
        yield start, Code.AMBIGUOUS_YAML, "colon"
    if not token.style and "\t" in text[start:stop]:
        yield text.index("\t", start), Code.INVALID_YAML, "tab"
    if token.style in ("|", ">") and token.value.lstrip("\n").startswith("\t"):
        yield text.index("\t", start), Code.INVALID_YAML, "tab"
    elif token.style in ("|", ">") and (head := _ODD_HEAD.match(text, start)):
        yield head.end() - 1, Code.INVALID_YAML, "block"


def _is_open(text: str, token: Any) -> bool:
    """Whether white space at the end of a block scalar belongs to it."""
    head = _HEAD.match(text, token.start_mark.index)
    return (head is not None and "+" in head[0]) or token.value.endswith((" ", "\t"))


def _tab_between(text: str, start: int, end: int) -> int | None:
    """The first tab before a token or a comment, between two tokens."""
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


def ambiguous_name(text: str, start: int, sign: str, name: str) -> int | None:
    """If parsers disagree on where the name of an anchor (`sign` is `&`) or alias (`*`) ends, its
    offset from the start of the node; else None."""
    at = text.find(f"{sign}{name}", start)
    if _NAME.fullmatch(name) and _NAME_END.match(text, at + 1 + len(name)):
        return None
    return at - start


def cut_off_prompts(source: Source) -> Iterator[Finding]:
    """A warning for each comment that cuts off a prompt: `message: Fix issue #412` is the prompt
    `Fix issue`. It follows an unquoted prompt on the same line, or on the next line and indented
    more than the key. taskctl's own comments do not count."""
    if re.search(_CUT_OFF, source.body) is None:
        return
    text = source.text
    lines = LineIndex(text)
    with suppress(*PARSER_ERRORS):
        for key, value in _unquoted_prompts(source.tokens()):
            end = value.end_mark
            found = re.compile(_COMMENT).match(text, end.index)
            if found is None or re.compile(_DIRECTIVE).match(text, found.end() - 1):
                continue
            indent = found["indent"]
            if indent is None or len(indent) > key.start_mark.column:
                at = lines.position(found.end() - 1)
                yield warning_finding(Code.CUT_OFF_PROMPT, ()).at_position(*at)


def _unquoted_prompts(next_token: NextEvent) -> Iterator[tuple[Any, Any]]:
    """The tokens of each key that names a prompt and its unquoted value."""
    before, key = "", None
    while (token := next_token()) is not None:
        kind = type(token).__name__
        if kind == "ScalarToken":
            if before == "KeyToken":
                key = token if token.value in _PROMPTS else None
            elif (
                before in ("ValueToken", "AnchorToken", "TagToken")
                and key is not None
                and not token.style
            ):
                yield key, token
        before = kind
