"""Prompts that a comment cuts off: valid YAML, but not what its author meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from reconciler.manifest.finding import Finding
from reconciler.manifest.parse.spans import PARSER_ERRORS, LineIndex, NextEvent
from reconciler.model.codes import Code

if TYPE_CHECKING:
    from reconciler.manifest.parse.source import Source

_PROMPTS = ("message", "content", "prompt")
# Compiled on first use, which few files need. Possessive, so that no text causes backtracking; with
# an optional end, so that a prompt with the names of many others is searched once.
_CUT_OFF = (
    rb"""(?:message|content|prompt)["']?[ \t]*+:[ \t\r\n]++(?![|>'"#])"""
    rb"""(?:[^#\r\n:]|:[ \t\r\n]*+|(?<=[^ \t])\#)*+"""
    rb"""((?=(?:[\r\n]++[ \t]++(?:[^#\r\n:]|(?<=[^ \t])\#)*+)*+(?<=[ \t])\#))?"""
)
_COMMENT = r"[ \t]+#|[ \t]*(?:\r\n|\r|\n)(?P<indent> +)#"
_DIRECTIVE = r"#[ \t]*taskctl:"


def cut_off_prompts(source: Source) -> Iterator[Finding]:
    """An error for each comment that cuts off a prompt: `message: Fix issue #412` is the prompt
    `Fix issue`. It follows an unquoted prompt on the same line, or on the next line and indented
    more than the key. taskctl's own comments do not count."""
    if not any(match[1] is not None for match in re.finditer(_CUT_OFF, source.body)):
        return
    text = source.text
    lines = LineIndex(text)
    with suppress(*PARSER_ERRORS):
        for key, value in _unquoted_prompts(source.tokens()):
            end = value.end_mark
            match = re.compile(_COMMENT).match(text, end.index)
            if match is None or re.compile(_DIRECTIVE).match(text, match.end() - 1):
                continue
            indent = match["indent"]
            if indent is None or len(indent) > key.start_mark.column:
                at = lines.position(match.end() - 1)
                yield Finding(Code.CUT_OFF_PROMPT, ()).at_position(*at)


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
