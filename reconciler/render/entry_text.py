"""An entry of a plan for a terminal: its settings once, a table of its tasks, and remarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.plan.plan import Action
from reconciler.render import cells, safe
from reconciler.render.cells import pad, shorten, width
from reconciler.render.groups import EMPTY, EntryView, TaskGroup
from reconciler.render.reports import Style
from reconciler.render.values import change_rows, hint_rows, setting_rows

KEY = "key"
LINES, MOST = 40, 400  # lines of a table; rows that are considered, however narrow they are
_SHORT = 10  # minimum rows of a block
_MORE = "…"
_LEAST = 8  # minimum columns of a value
_BETWEEN = "   "  # separates the blocks of a table


@dataclass(frozen=True, slots=True)
class EntryText:
    """Rows as wide as `style` allows; `sign` returns the colored sign of an action."""

    entry: EntryView
    style: Style
    sign: Callable[[Action], str]

    def rows(self) -> Iterator[str]:
        """All rows except the heading, not indented."""
        yield self.entry.summary()
        template = self.entry.template
        if template is not None:
            yield from setting_rows(template, self.style)
            yield ""
        if shared := self.entry.shared_values():
            yield from cells.wrap_words(safe.line(shared), self.style.width)
        yield from self._value_rows()
        remarks = [row for part in self.entry.parts() for row in self._remarks(part)]
        yield from ["", *remarks] if remarks else []

    def _remarks(self, part: TaskGroup) -> Iterator[str]:
        """The note, what differs, and how to proceed."""
        first, style = part.first, self.style.indented(2)
        if not (first.note or first.hints or first.diff):
            return
        subject = self.entry.subject(part)
        if first.diff or part.notes_differ:
            subject += f", as in {first.key}"
        note = f": {first.note}" if first.note else ":"
        head, *more = cells.wrap_words(safe.line(subject + note), style.width)
        yield f"{self.sign(first.task.action)} {head}"
        yield from (f"  {row}" for row in more)
        yield from (f"    {row}" for row in change_rows(first.diff, style.indented(2)))
        yield from (f"  {row}" for row in hint_rows(first.hints, style))
        if part.hints_differ:
            yield style.palette.dim("  (and the same for the other keys)")

    def _value_rows(self) -> list[str]:
        """A header and a row for each task; those that do not fit are counted."""
        tasks, names = self.entry.tasks, self.entry.value_names()
        some = tasks[:MOST]
        signs = [self.sign(task.task.action) for task in tasks]
        gutter = max(map(width, signs)) + 1
        table = [[KEY, *names]]
        table += [
            [self.entry.label(task), *(task.values.get(n, "") or EMPTY for n in names)]
            for task in some
        ]
        inert = [[safe.line(cell) for cell in row] for row in table]
        shown = cells.table_rows(_fit(inert, self.style.width - gutter))
        head = " " * gutter + self.style.palette.dim(shown[0]) if names else ""
        body = [pad(s, gutter) + row for s, row in zip(signs[:MOST], shown[1:], strict=True)]
        rows, left_out = _side_by_side(head, body, self.style.width)
        left_out += len(tasks) - len(some)
        more = f"… and {left_out:,} more; -v lists each task"
        return [*rows, self.style.palette.dim(more)] if left_out else rows


def _fit(table: list[list[str]], columns: int) -> list[list[str]]:
    """Shortens cells: the widest values first, then the last ones are left out; a key only if it
    is wider than all columns."""
    own, *widths = [max(map(width, column)) for column in zip(*table, strict=True)]
    gap = len(cells.GAP)
    room = columns - own - gap * len(widths)
    if sum(widths) <= room:
        return table
    kept = len(widths)
    if _LEAST * kept > room:  # then one column represents those that are left out
        kept = max(0, columns - own - gap - len(_MORE)) // (_LEAST + gap)
        room = columns - own - gap * (kept + 1) - len(_MORE)
    cap = max(widths)
    while cap > _LEAST and sum(min(used, cap) for used in widths[:kept]) > room:
        cap -= 1
    rest = [_MORE] if 0 < kept < len(widths) else []
    return [
        [shorten(key, columns), *(shorten(value, cap) for value in values[:kept]), *rest]
        for key, *values in table
    ]


def _side_by_side(head: str, body: Sequence[str], columns: int) -> tuple[list[str], int]:
    """The rows in as many blocks as fit, read from top to bottom; and how many are left out."""
    widest = max(map(width, (head, *body)))
    blocks = (columns + len(_BETWEEN)) // (widest + len(_BETWEEN))
    blocks = max(1, min(blocks, len(body) // _SHORT))
    kept = body[: LINES * blocks]
    lines = -(-len(kept) // blocks)
    table = [[kept[i] for i in range(line, len(kept), lines)] for line in range(lines)]
    if head:
        table.insert(0, [head] * len(table[0]))
    rows = [_BETWEEN.join(pad(text, widest) for text in row).rstrip() for row in table]
    return rows, len(body) - len(kept)
