"""The values of an entry's tasks as a table: one row a task, side by side where rows are short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reconciler.render import cells, safe
from reconciler.render.palette import Palette, unpainted
from reconciler.render.table import GAP, shortened, table_rows

KEY = "key"
LINES, MOST = 40, 400  # of a table; and rows that are looked at, however narrow they are
_SHORT = 10  # rows that need no second block
_MORE = "…"
_LEAST = 8  # columns that a value keeps, however many there are
_BETWEEN = "   "  # blocks of a table that stand side by side


class ValueRow(NamedTuple):
    """`sign` is painted; `label` is what follows the entry in the key: `@network-eu@2026-11`."""

    sign: str
    label: str
    values: Mapping[str, str]


def value_names(rows: Sequence[ValueRow]) -> tuple[str, ...]:
    """The names of the values, in order; without those that every key shows already."""
    names = dict.fromkeys(name for row in rows for name in row.values)
    return tuple(n for n in names if not all(_is_told(row.values.get(n, ""), row) for row in rows))


def value_rows(rows: Sequence[ValueRow], columns: int, palette: Palette) -> list[str]:
    """Header and rows, of inert text, at most `columns` wide; those that do not fit are counted."""
    names = value_names(rows)
    signs = max(cells.width(unpainted(row.sign)) for row in rows)
    own = columns - signs - 1
    some = rows[:MOST]
    table = [[KEY, *names], *([row.label, *_cells(row, names)] for row in some)]
    shown = table_rows(_fitted([[safe.line(cell) for cell in row] for row in table], own))
    head = " " * (signs + 1) + palette.dim(shown[0]) if names else ""
    body = [
        f"{row.sign}{' ' * (signs - cells.width(unpainted(row.sign)))} {text}"
        for row, text in zip(some, shown[1:], strict=True)
    ]
    made, left_out = _side_by_side(head, body, columns)
    left_out += len(rows) - len(some)
    more = f"… and {left_out:,} more; -v lists each task"
    return [*made, palette.dim(more)] if left_out else made


def _is_told(value: str, row: ValueRow) -> bool:
    """Whether the value stands in the key, between its ends or signs."""
    return bool(value) and f"-{value}-" in f"-{row.label.replace('@', '-')}-"


def _cells(row: ValueRow, names: Sequence[str]) -> list[str]:
    return [row.values.get(name, "") or '""' for name in names]


def _fitted(table: list[list[str]], columns: int) -> list[list[str]]:
    """Cells short enough for the width: the widest columns give way first, then the last ones."""
    widths = [max(map(cells.width, column)) for column in zip(*table, strict=True)]
    gap = len(GAP)
    if sum(widths) + gap * (len(widths) - 1) <= columns:
        return table
    number = min(len(widths), max(2, (columns - 1) // (_LEAST + gap)))
    if number < len(widths):
        table = [[*row[: number - 1], _MORE] for row in table]
        widths = [*widths[: number - 1], 1]
    room = columns - gap * (len(widths) - 1)
    cap = max(widths)
    while cap > _LEAST and sum(min(width, cap) for width in widths) > room:
        cap -= 1
    return [[shortened(cell, cap) for cell in row] for row in table]


def _side_by_side(head: str, body: list[str], columns: int) -> tuple[list[str], int]:
    """The rows in as many blocks as fit, read from top to bottom; and how many are left out."""
    width = max(cells.width(unpainted(row)) for row in (head, *body))
    blocks = (columns + len(_BETWEEN)) // (width + len(_BETWEEN))
    blocks = max(1, min(blocks, len(body) // _SHORT))
    left_out = max(0, len(body) - LINES * blocks)
    body = body[: LINES * blocks]
    lines = -(-len(body) // blocks)
    made = []
    for at in range(-1 if head else 0, lines):
        row = [head if at < 0 else body[i] for i in range(max(at, 0), len(body), lines)]
        padded = [text + " " * (width - cells.width(unpainted(text))) for text in row]
        made.append(_BETWEEN.join(padded).rstrip())
    return made, left_out
