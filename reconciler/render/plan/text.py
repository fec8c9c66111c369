"""A plan as text for reviewers, in the style of Terraform."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.messages.remarks import phrase, word_remarks
from reconciler.model.remarks import mention
from reconciler.model.task import TaskRef
from reconciler.model.value import Value
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render import cells, safe
from reconciler.render.diagnostics import place_of
from reconciler.render.plan.items import (
    EMPTY,
    EntryView,
    TaskGroup,
    items_of,
)
from reconciler.render.plan.summary import budget_lines, outcome, plan_summary, plan_target
from reconciler.render.plan.tasks import PlannedView, found_rows, meaning, order, planned_views
from reconciler.render.style import Palette, Style, counted
from reconciler.render.task_view import LABELS, UNATTENDED
from reconciler.render.text_diff import USUAL, PromptExcerpt
from reconciler.render.values import (
    change_rows,
    hint_rows,
    setting_rows,
)

INCOMPLETE = "Incomplete: existing tasks could not be read completely."
_INDENT = "      "
_LINES = 40  # maximum rows of an entry's table


def plan_rows(plan: Plan, style: Style) -> Iterator[str]:
    """All rows, the counts last; none with `-q`."""
    if not style.quiet:
        yield from _Writer(plan, style, len(plan.organizations()) > 1).rows()


class _Writer(Value, frozen=True):
    plan: Plan
    style: Style
    several: bool  # whether there are several organizations

    @property
    def palette(self) -> Palette:
        return self.style.palette

    @property
    def inner(self) -> Style:
        return self.style.indented(len(_INDENT))

    def rows(self) -> Iterator[str]:
        tasks = sorted(filter(self._is_shown, self.plan.tasks), key=order)
        yield from [*self._header(tasks), ""]
        items, excerpt = self._items(planned_views(self.plan, tasks, self.style.commands))
        for item in items:
            yield from self._item(item, excerpt)
            yield ""
        yield from self._closing()
        yield from budget_lines(self.plan.budgets)  # not wrapped, so that logs can be searched
        yield self.palette.bold(plan_summary(self.plan))

    def _is_shown(self, task: PlannedTask) -> bool:
        hidden = task.action is Action.UNCHANGED and task.reason is not Reason.NOT_VISIBLE
        return self.style.verbose or not hidden

    def _items(
        self, shown: Iterator[PlannedView]
    ) -> tuple[Iterable[TaskGroup | EntryView], PromptExcerpt]:
        """The items, and the shown length of prompts. With -v, each task is an item."""
        if self.style.verbose:
            return (TaskGroup((task,)) for task in shown), USUAL
        return items_of(self.plan, shown)

    def _item(self, item: TaskGroup | EntryView, excerpt: PromptExcerpt) -> Iterator[str]:
        if isinstance(item, EntryView):
            return self._entry(item, excerpt)
        if item.first.task.found is not None and len(item.tasks) > 1:
            return self._found(item)
        return self._group(item, excerpt)

    def _header(self, tasks: Sequence[PlannedTask]) -> Iterator[str]:
        """The first line, with the organizations, and the legend of the actions in the plan."""
        yield self.palette.bold(f"Plan{plan_target(self.plan)}")
        present = {task.action for task in tasks}
        meant = {
            action: text for action in Action if action in present and (text := meaning(action))
        }
        if Action.UNRESOLVED in meant and not self.plan.fail_reasons():
            meant[Action.UNRESOLVED] = phrase("action.settling")
        if Action.CHANGED in meant and all(t.applies for t in tasks if t.action is Action.CHANGED):
            meant[Action.CHANGED] = phrase("action.finishing")
        if meant:
            yield ""
        labels = {action: LABELS.get(action, action.value) for action in meant}
        pad = max(map(len, labels.values()), default=0)
        width = max((len(action.sign) for action in meant), default=1)
        for action, text in meant.items():
            sign = self.palette.paint(action.color)(f"{action.sign:{width}} {labels[action]:{pad}}")
            yield from self._legend(sign, text)
        if any(task.unattended for task in tasks):
            yield from self._legend(self._unattended(), phrase("unattended"))

    def _legend(self, sign: str, text: str) -> Iterator[str]:
        head = f"  {sign}  "
        room = self.style.width - cells.width(head)
        first, *rest = cells.wrap_words(text, room)
        yield head + first
        yield from (" " * cells.width(head) + row for row in rest)

    def _entry(self, entry: EntryView, excerpt: PromptExcerpt) -> Iterator[str]:
        """An entry: its settings once, a table of its tasks, and remarks."""
        first, name, style = entry.first, self._name(entry.ref), self.inner
        place = place_of(first.file, first.line)
        if entry.is_removed:
            yield self._head(first, f"{name}  {entry.summary()}", place)
            return
        yield self._head(first, name, place, unattended=entry.unattended)
        rows = [entry.summary()]
        if entry.template is not None:
            rows += setting_rows(entry.template, style, excerpt)
            rows.append("")
        if shared := entry.shared_values():
            rows += cells.wrap_words(safe.line(shared), style.width)
        rows += self._values(entry, style)
        remarks = [row for part in entry.parts() for row in self._remarks(entry, part)]
        rows += ["", *remarks] if remarks else []
        yield from (f"{_INDENT}{row}".rstrip() for row in rows)

    def _remarks(self, entry: EntryView, part: TaskGroup) -> Iterator[str]:
        """The note, the differences, and how to proceed."""
        first, style = part.first, self.inner.indented(2)
        if not (first.note or first.hints or first.diff):
            return
        subject = entry.subject(part)
        if first.diff or part.notes_differ:
            subject += f", as in {first.key}"
        note = f": {first.note}{part.ids}" if first.note else ":"
        head = f"{self._sign(first.task.action)} {safe.line(subject + note)}"
        yield from cells.wrap_words(head, self.inner.width, 2)
        yield from (f"    {row}" for row in change_rows(first.diff, style.indented(2)))
        yield from (f"  {row}" for row in hint_rows(first.hints, style))
        if part.hints_differ:
            yield self.palette.dim("  (and the same for the other keys)")

    def _values(self, entry: EntryView, style: Style) -> list[str]:
        """A header and a row for each task; tasks that do not fit are counted."""
        tasks, names = entry.tasks, entry.value_names()
        signs = [self._sign(view.task.action) for view in tasks]
        gutter = max(map(cells.width, signs)) + 1
        table = [["key", *names]]
        table += [
            [entry.label(view), *(view.values.get(name, "") or EMPTY for name in names)]
            for view in tasks[:_LINES]
        ]
        inert = [[safe.line(cell) for cell in row] for row in table]
        fitted = cells.fit(inert, style.width - gutter)
        shown = cells.table_rows(fitted)
        head = " " * gutter + self.palette.dim(shown[0]) if names else ""
        rows = [head] if head else []
        rows += [cells.pad(s, gutter) + row for s, row in zip(signs, shown[1:], strict=False)]
        left_out = len(tasks[_LINES:])
        cut = sum(full != part for full, part in zip(inert[1:], fitted[1:], strict=True))
        more = f"… and {left_out:,} more; -v lists each task" if left_out else ""
        parts = f"… values of {counted(cut, 'task')} are cut; -v shows them" if cut else ""
        return [*rows, *map(self.palette.dim, filter(None, (parts, more)))]

    def _group(self, group: TaskGroup, excerpt: PromptExcerpt) -> Iterator[str]:
        """A task, or the common parts of several tasks and a line for each."""
        first, palette, is_one = group.first, self.palette, len(group.tasks) == 1
        title = self._name(first.ref) if is_one else palette.bold(f"{len(group.tasks)} tasks")
        place = place_of(first.file, first.line) if is_one else ""
        yield self._head(first, title, place, unattended=first.unattended)
        rows: list[str] = []
        if first.note and not group.notes_differ:
            rows += cells.wrap_words(safe.line(first.note), self.inner.width)
        is_unchanged, task_id = first.task.action is Action.UNCHANGED, first.task_id
        if is_one and task_id and not is_unchanged and not mention(first.task.explanation, task_id):
            rows.append(palette.dim(f"task ID {safe.line(task_id)}"))
        rows += change_rows(first.diff, self.inner)
        rows += hint_rows(first.hints, self.inner)
        if group.hints_differ:
            rows.append(palette.dim("(and the same for the other keys)"))
        if first.inputs is not None:
            rows += setting_rows(first.inputs, self.inner, excerpt)
        if not is_one and not is_unchanged:
            rows += self._listed(group)
        yield from (f"{_INDENT}{row}" for row in rows)

    def _found(self, group: TaskGroup) -> Iterator[str]:
        """The tasks that were found for several keys, as a table."""
        yield self._head(group.first, self.palette.bold(f"{len(group.tasks)} tasks"), "")
        note = word_remarks(group.first.task.remarks).note
        head, *rows = found_rows((v.task for v in group.tasks), several=self.several)
        rows = [*cells.wrap_words(note, self.inner.width), self.palette.dim(head), *rows]
        yield from (f"{_INDENT}{row}" for row in rows)

    def _listed(self, group: TaskGroup) -> list[str]:
        """Key, location, and the note of each task, if the notes differ."""
        notes_differ = group.notes_differ
        rows = []
        for view in group.tasks:
            place = self.palette.dim(place_of(view.file, view.line))
            rows.append([self._name(view.ref), place, safe.line(view.why) if notes_differ else ""])
        used = max(map(cells.width, cells.table_rows([row[:2] for row in rows])))
        room = max(20, self.inner.width - used - 2)
        return cells.table_rows([[*row[:2], cells.shorten(row[2], room)] for row in rows])

    def _closing(self) -> Iterator[str]:
        if not self.plan.complete:
            rows = cells.wrap_words(INCOMPLETE, self.style.width)
            yield from (self.palette.yellow(row) for row in rows)
        if self.plan.ending:
            row = phrase("plan.ending", line=f"`{self.plan.ending}`")
            yield from cells.wrap_words(row, self.style.width)
        again = sum(task.reason is Reason.RECREATE for task in self.plan.tasks)
        if again:
            yield f"Apply creates {again} of the gone tasks again."
        yield from [text] if (text := outcome(self.plan)) else []

    def _head(self, view: PlannedView, title: str, place: str, *, unattended: bool = False) -> str:
        mark = f" {self._unattended()}" if unattended else ""
        sign = self._sign(view.task.action)
        return f"  {sign} {title}{mark}  {self.palette.dim(place.rstrip())}".rstrip()

    def _name(self, ref: TaskRef) -> str:
        org = f"{safe.line(ref.org_name)}/" if self.several else ""
        return f"{org}{self.palette.bold(safe.line(ref.key))}"

    def _unattended(self) -> str:
        return self.palette.yellow(f"[{UNATTENDED}]")

    def _sign(self, action: Action) -> str:
        return self.palette.bold(self.palette.paint(action.color)(action.sign))
