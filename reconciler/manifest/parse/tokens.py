"""YAML as the scanner's tokens, each with its position, for `layout.py`.

Only a token's kind and position are used: its text is copied from the file.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.manifest.parse.source import open_tokens

_BLOCK_HEAD = re.compile(r"[|>][-+0-9]*")


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is ruamel.yaml's name without `Token`. `start` and `end` count characters from 0.

    `block`: a scalar that begins with `|` or `>`; the token is this head alone.
    """

    kind: str
    start: int
    end: int
    column: int
    block: bool = False

    @property
    def seen(self) -> bool:
        """Whether it has characters, or is the end of the stream."""
        return self.end > self.start or self.kind == "StreamEnd"


def tokens(text: str, *, pure: bool) -> Iterator[Token]:
    """The tokens of valid YAML whose line ends are line feeds."""
    starts = [0, *(found.end() for found in re.finditer("\n", text))]
    next_token = open_tokens(text.encode("utf-8"), pure=pure)
    while (token := next_token()) is not None:
        kind = type(token).__name__.removesuffix("Token")
        start, end = token.start_mark.index, token.end_mark.index
        column = start - starts[bisect_right(starts, start) - 1]
        if kind == "StreamEnd":
            start, end, column = len(text), len(text), 0
        head = _BLOCK_HEAD.match(text, start) if kind == "Scalar" else None
        if head is None:
            yield Token(kind, start, end, column)
        else:
            yield Token(kind, start, head.end(), column, block=True)
