"""Hints for a terminal: wrapped text, and commands that are never broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.messages.remarks import Hint
from reconciler.render import cells, safe
from reconciler.render.palette import Palette


def hint_rows(hints: Iterable[Hint], columns: int, palette: Palette) -> Iterator[str]:
    """Rows of at most `columns`, except for commands, which must be copyable."""
    for hint in hints:
        if hint.text:
            yield from cells.flowed(safe.line(hint.text), columns)
        for command in hint.commands.split("\n") if hint.commands else ():
            yield f"  {palette.cyan(safe.line(command))}"
