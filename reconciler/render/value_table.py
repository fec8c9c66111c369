"""The values of an entry's tasks as a table: one row a task, side by side where rows are short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from reconciler.render import cells, safe
from reconciler.render.reports import Palette
from reconciler.render.secrets import STAND_IN

KEY = "key"
EMPTY = '""'
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
    """The names of the values, in order; without those that every key shows already, or that are
    the same in all rows."""
    names = dict.fromkeys(name for row in rows for name in row.values)
    same = shared_values(rows)
    return tuple(
        n
        for n in names
        if n not in same and not all(_is_told(row.values.get(n, ""), row) for row in rows)
    )


def shared_values(rows: Sequence[ValueRow]) -> dict[str, str]:
    """What is the same in all rows and in no key, by name."""
    first, *more = (row.values for row in rows)
    return {
        name: value
        for name, value in first.items()
        if all(row.get(name) == value for row in more) and not _is_told(value, rows[0])
    }


def shared_text(rows: Sequence[ValueRow]) -> str:
    """`same for all: repo.branch main, repo.team ""`; empty for nothing."""
    shared = shared_values(rows)
    same = [f"{name} {value or EMPTY}" for name, value in shared.items() if value != STAND_IN]
    hidden = [name for name, value in shared.items() if value == STAND_IN]
    said = [f"same for all: {', '.join(same)}"] if same else []
    return "; ".join([*said, f"{STAND_IN}: {', '.join(hidden)}"] if hidden else said)


def value_rows(rows: Sequence[ValueRow], columns: int, palette: Palette) -> list[str]:
    """Header and rows, of inert text, at most `columns` wide; those that do not fit are counted."""
    names = value_names(rows)
    signs = max(cells.width(row.sign) for row in rows)
    own = columns - signs - 1
    some = rows[:MOST]
    table = [[KEY, *names], *([row.label, *_cells(row, names)] for row in some)]
    shown = cells.table_rows(_fitted([[safe.line(cell) for cell in row] for row in table], own))
    head = " " * (signs + 1) + palette.dim(shown[0]) if names else ""
    body = [
        f"{row.sign}{' ' * (signs - cells.width(row.sign))} {text}"
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
    return [row.values.get(name, "") or EMPTY for name in names]


def _fitted(table: list[list[str]], columns: int) -> list[list[str]]:
    """Cells short enough for the width: the widest values give way first, then the last ones, and
    the key only to what is wider than all columns."""
    own, *widths = [max(map(cells.width, column)) for column in zip(*table, strict=True)]
    gap = len(cells.GAP)
    room = columns - own - gap * len(widths)
    if sum(widths) <= room:
        return table
    kept = len(widths)
    if _LEAST * kept > room:  # then there is a column that stands for the others
        kept = max(0, columns - own - gap - len(_MORE)) // (_LEAST + gap)
        room = columns - own - gap * (kept + 1) - len(_MORE)
    cap = max(widths)
    while cap > _LEAST and sum(min(width, cap) for width in widths[:kept]) > room:
        cap -= 1
    rest = [_MORE] if 0 < kept < len(widths) else []
    return [
        [
            cells.shorten(key, columns),
            *(cells.shorten(value, cap) for value in values[:kept]),
            *rest,
        ]
        for key, *values in table
    ]


def _side_by_side(head: str, body: list[str], columns: int) -> tuple[list[str], int]:
    """The rows in as many blocks as fit, read from top to bottom; and how many are left out."""
    width = max(cells.width(row) for row in (head, *body))
    blocks = (columns + len(_BETWEEN)) // (width + len(_BETWEEN))
    blocks = max(1, min(blocks, len(body) // _SHORT))
    left_out = max(0, len(body) - LINES * blocks)
    body = body[: LINES * blocks]
    lines = -(-len(body) // blocks)
    made = []
    for at in range(-1 if head else 0, lines):
        row = [head if at < 0 else body[i] for i in range(max(at, 0), len(body), lines)]
        padded = [text + " " * (width - cells.width(text)) for text in row]
        made.append(_BETWEEN.join(padded).rstrip())
    return made, left_out
