"""An entry of a plan as text: its settings once, a table of its tasks, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.messages.plan import COUNTED
from reconciler.plan.plan import Action
from reconciler.render import cells, safe
from reconciler.render.entry_groups import EntryGroup, EntryPart
from reconciler.render.reports import Palette
from reconciler.render.value_table import ValueRow, shared_text, value_rows
from reconciler.render.values import change_rows, hint_rows, setting_rows


@dataclass(frozen=True, slots=True)
class EntryText:
    """`paint` gives the sign of an action; rows are at most `columns` wide."""

    group: EntryGroup
    columns: int
    palette: Palette
    paint: Callable[[Action], str]

    def rows(self) -> Iterator[str]:
        """All but the head, not indented."""
        yield counted(self.group)
        template = self.group.template
        if template is not None:
            yield from setting_rows(template, self.columns, self.palette, verbose=False)
            yield ""
        yield from self._values()
        said = [row for part in self.group.parts() for row in self._said(part)]
        yield from ["", *said] if said else []

    def _values(self) -> Iterator[str]:
        rows = []
        for task in self.group.tasks:
            values = task.generated.values if task.generated is not None else {}
            rows.append(ValueRow(self.paint(task.action), self.group.label(task), values))
        if shared := shared_text(rows):
            yield from cells.wrap_words(safe.line(shared), self.columns)
        yield from value_rows(rows, self.columns, self.palette)

    def _said(self, part: EntryPart) -> Iterator[str]:
        """The note, what differs, and how to proceed."""
        words, palette = part.words, self.palette
        if not (words.note or words.hints or part.first.diff):
            return
        subject, own = self.group.subject(part), self.columns - 2
        if part.first.diff or part.notes_differ:
            subject += f", as in {part.first.ref.key}"
        note = f": {words.note}" if words.note else ":"
        first, *more = cells.wrap_words(safe.line(subject + note), own)
        yield f"{self.paint(part.first.action)} {first}"
        yield from (f"  {row}" for row in more)
        rows = change_rows(part.first.diff, own - 2, palette, verbose=False)
        yield from (f"    {row}" for row in rows)
        yield from (f"  {row}" for row in hint_rows(words.hints, own, palette))
        if part.others_differ:
            yield palette.dim("  (and the same for the other keys)")


def removed(group: EntryGroup) -> str:
    """`40 tasks of an entry that was removed`."""
    return f"{len(group.tasks):,} tasks of an entry that was removed"


def counted(group: EntryGroup) -> str:
    """`40 tasks: 2 to create, 38 held`, or just `40 to create`."""
    if group.is_removed:
        return removed(group)
    number = sum(group.counts.values())
    parts = [f"{n:,} {COUNTED.get(a, a.value)}" for a in Action if (n := group.counts[a])]
    return f"{number:,} tasks: {', '.join(parts)}" if len(parts) > 1 else parts[0]
