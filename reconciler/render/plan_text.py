"""A plan as text for reviewers, in the style of Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.messages.plan import ACTIONS, SETTLING, UNATTENDED, UNATTENDED_MEANS
from reconciler.model.remarks import mention
from reconciler.model.task import TaskRef
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render import cells, safe
from reconciler.render.diagnostics import place_of
from reconciler.render.entry_text import EntryText
from reconciler.render.groups import (
    EntryView,
    TaskGroup,
    fold_entries,
    group_similar,
    prompt_line,
)
from reconciler.render.reports import Palette, Style
from reconciler.render.summary import budget_rows, outcome, plan_summary, plan_target
from reconciler.render.values import change_rows, hint_rows, setting_rows
from reconciler.render.views import SIGNS, PlannedView, planned_view, urgency

_INDENT = "      "
_SHOWN = (Reason.NOT_VISIBLE, Reason.PAST)
"""Reasons of unchanged tasks that are not hidden; past ones are in a plan only on request."""


def plan_rows(plan: Plan, style: Style) -> list[str]:
    """All rows, the counts last; none with `-q`."""
    return [] if style.quiet else _Writer(plan, style, len(plan.organizations()) > 1).rows()


@dataclass(frozen=True, slots=True)
class _Writer:
    plan: Plan
    style: Style
    several: bool  # organizations

    @property
    def palette(self) -> Palette:
        return self.style.palette

    @property
    def inner(self) -> Style:
        return self.style.indented(len(_INDENT))

    def rows(self) -> list[str]:
        tasks = sorted(filter(self._is_shown, self.plan.tasks), key=urgency)
        shown = [planned_view(self.plan, task, str) for task in tasks]
        rows = [*self._header(shown), ""]
        for item in self._items(shown):
            rows += [*self._item(item), ""]
        rows += self._closing()
        rows += budget_rows(self.plan.budgets, self.style)
        return [*rows, self.palette.bold(plan_summary(self.plan))]

    def _is_shown(self, task: PlannedTask) -> bool:
        hidden = task.action is Action.UNCHANGED and task.reason not in _SHOWN
        return self.style.verbose or not hidden

    def _items(self, shown: list[PlannedView]) -> list[TaskGroup | EntryView]:
        """Entries and groups of similar tasks as one item each; with -v, each task."""
        if self.style.verbose:
            return [TaskGroup((task,)) for task in shown]
        return group_similar(fold_entries(self.plan, shown))

    def _item(self, item: TaskGroup | EntryView) -> Iterator[str]:
        if isinstance(item, EntryView):
            return self._entry(item)
        return self._group(item) if len(item.tasks) > 1 else self._task(item.first)

    def _header(self, shown: list[PlannedView]) -> Iterator[str]:
        """The target of the plan, and the meaning of the actions in it."""
        yield self.palette.bold(f"Plan{plan_target(self.plan)}")
        present = {view.task.action for view in shown}
        meant = {action: ACTIONS[action] for action in Action if action in present & ACTIONS.keys()}
        if Action.UNRESOLVED in meant and not self.plan.apply_will_fail():
            meant[Action.UNRESOLVED] = SETTLING
        if meant:
            yield ""
        pad = max((len(action) for action in meant), default=0)
        width = max((len(SIGNS[action]) for action in meant), default=1)
        for action, text in meant.items():
            sign = self.palette.of(action)(f"{SIGNS[action]:{width}} {action.value:{pad}}")
            yield f"  {sign}  {text}"
        if any(view.unattended for view in shown):
            yield f"  {self._unattended()}  {UNATTENDED_MEANS}"

    def _entry(self, entry: EntryView) -> Iterator[str]:
        first, name = entry.first, self._name(entry.ref)
        place = place_of(first.file, first.line)
        if entry.is_removed:
            yield self._head(first, f"{name}  {entry.summary()}", place)
            return
        yield self._head(first, name, place, unattended=entry.unattended)
        text = EntryText(entry, self.inner, self._sign)
        yield from (f"{_INDENT}{row}".rstrip() for row in text.rows())

    def _task(self, view: PlannedView) -> Iterator[str]:
        place = place_of(view.file, view.line)
        yield self._head(view, self._name(view.ref), place, unattended=view.unattended)
        rows = cells.wrap_words(safe.line(view.note), self.inner.width) if view.note else []
        rows += hint_rows(view.hints, self.inner)
        is_named = view.task_id is None or mention(view.task.remarks, view.task_id)
        if not is_named and view.task.action is not Action.UNCHANGED:
            rows.append(self.palette.dim(f"taskID {safe.line(view.task_id or '')}"))
        if view.inputs is not None:
            rows += setting_rows(view.inputs, self.inner)
        rows += change_rows(view.diff, self.inner)
        yield from (f"{_INDENT}{row}" for row in rows)

    def _group(self, group: TaskGroup) -> Iterator[str]:
        """What the tasks share, then one line each."""
        first, palette = group.first, self.palette
        title = palette.bold(f"{len(group.tasks)} tasks")
        yield self._head(first, title, "", unattended=first.unattended)
        rows: list[str] = []
        if first.note and not group.notes_differ:
            rows += cells.wrap_words(safe.line(first.note), self.inner.width)
        rows += hint_rows(first.hints, self.inner)
        if group.hints_differ:
            rows.append(palette.dim("(and the same for the other keys)"))
        if group.inputs is not None:
            rows += setting_rows(group.inputs, self.inner)
        elif group.is_one_diff:
            rows += change_rows(first.diff, self.inner)
        if first.task.action is not Action.UNCHANGED:
            rows += self._listed(group)
        yield from (f"{_INDENT}{row}" for row in rows)

    def _listed(self, group: TaskGroup) -> list[str]:
        """Key, location, and what is specific to each task: its note, prompt or changes."""
        rows = []
        notes_differ, is_one_diff = group.notes_differ, group.is_one_diff
        is_one_prompt = group.is_one_prompt
        skipped = len(group.common_beginning)
        for view in group.tasks:
            own = ""
            if notes_differ:
                own = view.why
            elif view.diff:
                own = "" if is_one_diff else ", ".join(change.path for change in view.diff)
            elif not is_one_prompt:
                own = prompt_line(view)[skipped:]
                own = f"… {own}" if own and skipped else own
            place = self.palette.dim(place_of(view.file, view.line))
            rows.append([self._name(view.ref), place, safe.line(own)])
        used = max(map(cells.width, cells.table_rows([row[:2] for row in rows])))
        room = max(20, self.inner.width - used - 2)
        return cells.table_rows([[*row[:2], cells.shorten(row[2], room)] for row in rows])

    def _closing(self) -> Iterator[str]:
        if not self.plan.complete:
            text = "Incomplete: existing tasks could not be read completely."
            rows = cells.wrap_words(text, self.style.width)
            yield from (self.palette.yellow(row) for row in rows)
        again = sum(task.reason is Reason.RECREATE for task in self.plan.tasks)
        if again:
            yield f"Apply creates {again} of the gone tasks again."
        yield from [text] if (text := outcome(self.plan)) else []

    def _head(self, view: PlannedView, title: str, place: str, *, unattended: bool = False) -> str:
        mark = f" {self._unattended()}" if unattended else ""
        sign = self._sign(view.task.action)
        return f"  {sign} {title}{mark}  {self.palette.dim(place)}".rstrip()

    def _name(self, ref: TaskRef) -> str:
        org = f"{safe.line(ref.org_name)}/" if self.several else ""
        return f"{org}{self.palette.bold(safe.line(ref.key))}"

    def _unattended(self) -> str:
        return self.palette.yellow(f"[{UNATTENDED}]")

    def _sign(self, action: Action) -> str:
        return self.palette.bold(self.palette.of(action)(SIGNS[action]))
