"""Prompts that a comment cuts off: `message: Fix issue #412` is the prompt `Fix issue`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.parse.source import Source, open_tokens
from reconciler.manifest.parse.spans import PARSER_ERRORS
from reconciler.model.codes import Code

_NAMES = ("message", "content", "prompt")
_BEFORE_A_VALUE = ("ValueToken", "AnchorToken", "TagToken")
# Whether a file is worth reading again. No step is taken back: the text may be anybody's.
_CANDIDATE = re.compile(
    rb"""(?:message|content|prompt)["']?[ \t]*+:[ \t\r\n]++(?![|>'"#])"""
    rb"""(?:[^#\r\n]|(?<=[^ \t])\#)*+"""
    rb"""(?:[\r\n]++[ \t]++(?:[^#\r\n:]|(?<=[^ \t])\#)*+)*+(?<=[ \t])\#"""
)
_COMMENT = re.compile(r"[ \t]+#|[ \t]*(?:\r\n|\r|\n)(?P<indent> +)#")
_DIRECTIVE = re.compile(r"#[ \t]*taskctl:")


def cut_off_prompts(source: Source) -> Iterator[Finding]:
    """A warning at each comment that follows a prompt without quotes, in its line or below it and
    further right than its key. Comments for taskctl are none of these."""
    if _CANDIDATE.search(source.body) is None:
        return
    text = source.text
    with suppress(*PARSER_ERRORS):
        for key, value in _plain_prompts(iter(open_tokens(source.body, pure=source.pure), None)):
            end = value.end_mark
            found = _COMMENT.match(text, end.index)
            if found is None or _DIRECTIVE.match(text, found.end() - 1):
                continue
            indent, place = found["indent"], (end.line + 1, end.column + len(found[0]))
            if indent is not None:
                place = end.line + 2, len(indent) + 1
            if indent is None or len(indent) > key.start_mark.column:
                yield warning_finding(Code.CUT_OFF_PROMPT, ()).at_position(*place)


def _plain_prompts(tokens: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    """The scanner's tokens of each key that names a prompt, and of its value without quotes."""
    before, key = "", None
    for token in tokens:
        kind = type(token).__name__
        if kind == "ScalarToken":
            if before == "KeyToken":
                key = token if token.value in _NAMES else None
            elif before in _BEFORE_A_VALUE and key is not None and not token.style:
                yield key, token
        before = kind
