"""A plan as text for reviewers, in the style of Terraform."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from reconciler.messages.plan import ACTIONS, COUNTED, SETTLING, UNATTENDED, UNATTENDED_MEANS
from reconciler.messages.remarks import word_remarks
from reconciler.model.remarks import mention
from reconciler.model.task import Identity, TaskRef, text_of
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render import cells, safe
from reconciler.render.budget import budget_rows
from reconciler.render.diagnostics import place_of
from reconciler.render.entry_groups import EntryGroup, entry_groups, entry_of
from reconciler.render.entry_text import EntryText, removed
from reconciler.render.plan_groups import TaskGroup, common, prompt_line, task_groups
from reconciler.render.reports import Palette, Style
from reconciler.render.values import change_rows, hint_rows, setting_rows

SIGNS = {
    Action.CREATE: "+",
    Action.REPLACE: "-/+",
    Action.ADOPT: ">",
    Action.MOVE: ">",
    Action.UPDATE: "~",
    Action.CHANGED: "~",
    Action.GONE: "!",
    Action.FORGET: "-",
    Action.ORPHANED: "#",
    Action.HELD: ".",
    Action.UNCHANGED: "=",
    Action.UNRESOLVED: "?",
}

_ORDER = {action: place for place, action in enumerate(Action)}
_INDENT = "      "
_SHOWN = (Reason.NOT_VISIBLE, Reason.PAST)
"""Reasons of unchanged tasks that are not hidden; past ones are in a plan only on request."""


def plan_rows(plan: Plan, style: Style) -> list[str]:
    """All rows, the counts last; none with `-q`."""
    return [] if style.quiet else _Writer(plan, style, len(plan.organizations()) > 1).rows()


def summary_row(plan: Plan) -> str:
    """`Plan: 1 to create, ...`; rare actions are listed only if there are any."""
    rare = (
        Action.REPLACE,
        Action.MOVE,
        Action.UPDATE,
        Action.FORGET,
        Action.GONE,
        Action.HELD,
        Action.UNRESOLVED,
    )
    counts = plan.summary()
    shown = [
        f"{counts[action]} {COUNTED.get(action, action.value)}"
        for action in Action
        if counts[action] or action not in rare
    ]
    fails = " Apply will fail." if plan.apply_will_fail() else ""
    return f"Plan: {', '.join(shown)}.{fails}"


def for_whom(plan: Plan) -> str:
    """` for acme on https://api.pulumi.com, as ada`: part of the first line of every format."""
    names = ", ".join(map(safe.line, plan.organizations()))
    orgs = f" for {names} on" if names else " for"
    made = f", as {who(plan.identity)}" if plan.identity else ""
    return f"{orgs} {safe.line(plan.backend)}{made}"


def legend(plan: Plan, shown: Iterable[PlannedTask]) -> dict[Action, str]:
    """The meaning of the actions that occur."""
    present = {task.action for task in shown}
    meant = {action: ACTIONS[action] for action in Action if action in present & ACTIONS.keys()}
    if Action.UNRESOLVED in meant and not plan.apply_will_fail():
        meant[Action.UNRESOLVED] = SETTLING
    return meant


def outcome_row(plan: Plan) -> str:
    """Says that apply would do nothing; empty otherwise."""
    if all(task.action is Action.UNCHANGED for task in plan.tasks):
        return no_changes_row(plan)
    return "" if plan.can_apply() else "Apply would make no changes."


def no_changes_row(plan: Plan) -> str:
    """The row for a plan whose tasks are all unchanged."""
    if not plan.tasks:
        return "No changes. There are no tasks."
    which = "selected" if plan.is_restricted else "declared"
    return f"No changes. All {which} tasks exist."


def unattended_row(plan: Plan) -> str:
    """`2 of these tasks are unattended.`, counting those that apply would act on; may be empty."""
    number = sum(task.applies and task.unattended for task in plan.tasks)
    are = "is" if number == 1 else "are"
    return f"{number} of these tasks {are} unattended." if number else ""


def who(identity: Identity) -> str:
    """The login of an identity, and the organization or team of its token."""
    bound = [
        f"{word} {safe.line(value)}"
        for word, value in (("organization", identity.organization), ("team", identity.team))
        if value
    ]
    name = safe.line(identity.login or identity.id)
    return f"{name} ({', '.join(bound)})" if bound else name


@dataclass(frozen=True, slots=True)
class _Writer:
    plan: Plan
    style: Style
    several: bool  # organizations

    @property
    def palette(self) -> Palette:
        return self.style.palette

    @property
    def columns(self) -> int:
        return self.style.width - len(_INDENT)

    def rows(self) -> list[str]:
        shown = [task for task in self.plan.tasks if self._is_shown(task)]
        shown.sort(key=lambda task: (_ORDER[task.action], task.ref))
        rows = [*self._header(shown), ""]
        for item in self._items(shown):
            rows += [*self._item(item), ""]
        rows += self._closing()
        rows += budget_rows(self.plan.budgets, self.style)
        return [*rows, self.palette.bold(summary_row(self.plan))]

    def _items(self, shown: list[PlannedTask]) -> list[TaskGroup | EntryGroup]:
        """Entries and groups of similar tasks as one item each; with -v, each task."""
        if self.style.verbose:
            return [TaskGroup((task,)) for task in shown]
        groups = entry_groups(self.plan.tasks, shown)
        grouped = {group.entry for group in groups}
        alike = task_groups(task for task in shown if entry_of(task) not in grouped)
        place = {task.ref: number for number, task in enumerate(shown)}
        return sorted([*alike, *groups], key=lambda item: place[item.first.ref])

    def _item(self, item: TaskGroup | EntryGroup) -> Iterator[str]:
        if isinstance(item, EntryGroup):
            return self._entry(item)
        return self._group(item) if len(item.tasks) > 1 else self._task(item.first)

    def _entry(self, group: EntryGroup) -> Iterator[str]:
        place = place_of(group.first.file or None, group.first.line)
        if group.is_removed:
            name = f"{self._name(group.entry)}  {removed(group)}"
            yield self._head(group.first.action, name, place)
            return
        alone = any(task.unattended for task in group.tasks)
        yield self._head(group.first.action, self._name(group.entry), place, unattended=alone)
        text = EntryText(group, self.columns, self.palette, self._sign)
        yield from (f"{_INDENT}{row}".rstrip() for row in text.rows())

    def _is_shown(self, task: PlannedTask) -> bool:
        hidden = task.action is Action.UNCHANGED and task.reason not in _SHOWN
        return self.style.verbose or not hidden

    def _header(self, shown: list[PlannedTask]) -> Iterator[str]:
        yield self.palette.bold(f"Plan{for_whom(self.plan)}")
        meant = legend(self.plan, shown)
        if meant:
            yield ""
        pad = max((len(action) for action in meant), default=0)
        width = max((len(SIGNS[action]) for action in meant), default=1)
        for action, text in meant.items():
            sign = self._paint(action)(f"{SIGNS[action]:{width}} {action.value:{pad}}")
            yield f"  {sign}  {text}"
        if any(task.unattended for task in shown):
            yield f"  {self._unattended()}  {UNATTENDED_MEANS}"

    def _unattended(self) -> str:
        return self.palette.yellow(f"[{UNATTENDED}]")

    def _head(self, action: Action, name: str, place: str = "", *, unattended: bool = False) -> str:
        mark = f" {self._unattended()}" if unattended else ""
        return f"  {self._sign(action)} {name}{mark}  {self.palette.dim(place)}".rstrip()

    def _sign(self, action: Action) -> str:
        return self.palette.bold(self._paint(action)(SIGNS[action]))

    def _name(self, ref: TaskRef) -> str:
        org = f"{safe.line(ref.org_name)}/" if self.several else ""
        return f"{org}{self.palette.bold(safe.line(ref.key))}"

    def _task(self, task: PlannedTask) -> Iterator[str]:
        place = place_of(task.file or None, task.line)
        name = self._name(task.ref)
        yield self._head(task.action, name, place, unattended=task.unattended)
        for row in self._explained(task):
            yield f"{_INDENT}{row}"
        rows: list[str] = []
        verbose = self.style.verbose
        if task.creates and task.desired is not None and not task.diff:
            rows = setting_rows(task.desired.inputs, self.columns, self.palette, verbose=verbose)
        elif task.diff:
            rows = change_rows(task.diff, self.columns, self.palette, verbose=verbose)
        yield from (f"{_INDENT}{row}" for row in rows)

    def _explained(self, task: PlannedTask) -> list[str]:
        words = word_remarks(task.explanation)
        note = words.note if words.note != ACTIONS.get(task.action) else ""
        rows = cells.wrap_words(safe.line(note), self.columns) if note else []
        rows += hint_rows(words.hints, self.columns, self.palette)
        told = task.task_id is None or mention(task.remarks, task.task_id)
        if told or task.action is Action.UNCHANGED:
            return rows
        return [*rows, self.palette.dim(f"taskID {safe.line(task.task_id or '')}")]

    def _group(self, group: TaskGroup) -> Iterator[str]:
        """What the tasks share, then one line each."""
        first, palette, verbose = group.first, self.palette, self.style.verbose
        title = palette.bold(f"{len(group.tasks)} tasks")
        yield self._head(first.action, title, unattended=first.unattended)
        words = [word_remarks(task.explanation) for task in group.tasks]
        is_one_note = len({one.note for one in words}) == 1
        rows: list[str] = []
        if is_one_note and words[0].note not in ("", ACTIONS.get(first.action)):
            rows += cells.wrap_words(safe.line(words[0].note), self.columns)
        rows += hint_rows(words[0].hints, self.columns, palette)
        if any(one.hints != words[0].hints for one in words):
            rows.append(palette.dim("(and the same for the other keys)"))
        is_new = first.creates and first.desired is not None and not first.diff
        if is_new and first.desired is not None:
            inputs = first.desired.inputs if group.is_one_prompt else common(first.desired.inputs)
            rows += setting_rows(inputs, self.columns, palette, verbose=verbose)
        elif first.diff and group.is_one_diff:
            rows += change_rows(first.diff, self.columns, palette, verbose=verbose)
        if first.action is not Action.UNCHANGED:
            rows += self._listed(group, [one.note for one in words], notes_differ=not is_one_note)
        yield from (f"{_INDENT}{row}" for row in rows)

    def _listed(self, group: TaskGroup, notes: list[str], *, notes_differ: bool) -> list[str]:
        """Key, location, and what is specific to this task: its note, prompt or changes."""
        rows = []
        skipped = len(group.common_beginning)
        is_one_diff, is_one_prompt = group.is_one_diff, group.is_one_prompt
        for task, note in zip(group.tasks, notes, strict=True):
            if notes_differ:
                own = note
            elif task.diff:
                own = "" if is_one_diff else ", ".join(change.path for change in task.diff)
            else:
                text = text_of(task.desired.inputs) if task.desired is not None else None
                own = "" if is_one_prompt else prompt_line(text)[skipped:]
                own = f"… {own}" if own and skipped else own
            place = self.palette.dim(place_of(task.file or None, task.line))
            rows.append([self._name(task.ref), place, safe.line(own)])
        used = max(cells.width(row) for row in cells.table_rows([row[:2] for row in rows]))
        room = max(20, self.columns - used - 2)
        return cells.table_rows([[*row[:2], cells.shorten(row[2], room)] for row in rows])

    def _closing(self) -> Iterator[str]:
        if not self.plan.complete:
            text = "Incomplete: existing tasks could not be read completely."
            rows = cells.wrap_words(text, self.style.width)
            yield from (self.palette.yellow(row) for row in rows)
        anew = sum(task.reason is Reason.RECREATE for task in self.plan.tasks)
        if anew:
            yield f"Apply creates {anew} of the gone tasks again."
        yield from [text] if (text := outcome_row(self.plan)) else []

    def _paint(self, action: Action) -> Callable[[str], str]:
        palette = self.palette
        return {
            Action.CREATE: palette.green,
            Action.REPLACE: palette.green,
            Action.ADOPT: palette.cyan,
            Action.UPDATE: palette.yellow,
            Action.MOVE: palette.cyan,
            Action.CHANGED: palette.yellow,
            Action.GONE: palette.red,
            Action.FORGET: palette.red,
            Action.ORPHANED: palette.blue,
            Action.HELD: palette.blue,
            Action.UNRESOLVED: palette.magenta,
        }.get(action, palette.dim)
