"""A plan as text, after Terraform's habits; made to be reviewed by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.messages.plan import ACTIONS, UNATTENDED, UNATTENDED_MEANS
from reconciler.messages.remarks import word
from reconciler.model.remarks import mention
from reconciler.model.task import Identity
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render import cells, safe
from reconciler.render.budget import budget_rows
from reconciler.render.diagnostics import place_of
from reconciler.render.hints import hint_rows
from reconciler.render.palette import Palette
from reconciler.render.reports import Style
from reconciler.render.values import change_rows, setting_rows

SIGNS = {
    Action.CREATE: "+",
    Action.REPLACE: "-/+",
    Action.ADOPT: ">",
    Action.MOVE: ">",
    Action.UPDATE: "~",
    Action.CHANGED: "~",
    Action.GONE: "!",
    Action.ORPHANED: "#",
    Action.UNCHANGED: "=",
    Action.UNRESOLVED: "?",
}

_ORDER = {action: place for place, action in enumerate(Action)}
_INDENT = "      "


def plan_rows(plan: Plan, style: Style) -> list[str]:
    """The whole text, its last row the count; nothing with `-q`, which leaves the exit code."""
    return [] if style.quiet else _Writer(plan, style).rows()


def summary_row(plan: Plan) -> str:
    """`Plan: 1 to create, ...`; what is rare is counted where there is any."""
    words = {
        Action.CREATE: "to create",
        Action.ADOPT: "to adopt",
        Action.REPLACE: "to replace",
        Action.MOVE: "to move",
        Action.UPDATE: "to update",
    }
    rare = (Action.REPLACE, Action.MOVE, Action.UPDATE, Action.GONE, Action.UNRESOLVED)
    counts = plan.summary()
    shown = [
        f"{counts[action]} {words.get(action, action.value)}"
        for action in Action
        if counts[action] or action not in rare
    ]
    return f"Plan: {', '.join(shown)}."


def no_changes_row(plan: Plan) -> str:
    """For a plan whose tasks are all unchanged."""
    if not plan.tasks:
        return "No changes. There are no tasks."
    which = "selected" if plan.is_restricted else "declared"
    return f"No changes. All {which} tasks exist."


def unattended_row(plan: Plan) -> str:
    """`2 of these tasks are unattended.`, counting what apply would act on; empty for none."""
    number = sum(task.applies and task.unattended for task in plan.tasks)
    are = "is" if number == 1 else "are"
    return f"{number} of these tasks {are} unattended." if number else ""


def who(identity: Identity) -> str:
    """An identity for a reader: its login, and what a token is bound to."""
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

    @property
    def palette(self) -> Palette:
        return Palette(self.style.color)

    def rows(self) -> list[str]:
        shown = [task for task in self.plan.tasks if self._is_shown(task)]
        shown.sort(key=lambda task: (_ORDER[task.action], task.ref))
        rows = [*self._header(shown), ""]
        several = len({task.ref.org_name for task in self.plan.tasks}) > 1
        for task in shown:
            rows += [*self._task(task, several=several), ""]
        rows += self._not_visible()
        rows += self._closing(shown)
        rows += budget_rows(self.plan.budgets, self.style)
        return [*rows, self.palette.bold(summary_row(self.plan))]

    def _is_shown(self, task: PlannedTask) -> bool:
        return task.action is not Action.UNCHANGED or self.style.verbose

    def _header(self, shown: list[PlannedTask]) -> Iterator[str]:
        made = f", as {who(self.plan.identity)}" if self.plan.identity else ""
        yield self.palette.bold(f"Plan for {safe.line(self.plan.backend)}{made}")
        actions = [
            action
            for action in Action
            if action in ACTIONS and any(t.action is action for t in shown)
        ]
        if actions:
            yield ""
        pad = max((len(action) for action in actions), default=0)
        width = max((len(SIGNS[action]) for action in actions), default=1)
        for action in actions:
            sign = self._paint(action)(f"{SIGNS[action]:{width}} {action.value:{pad}}")
            yield f"  {sign}  {ACTIONS[action]}"
        if any(task.unattended for task in shown):
            yield f"  {self._unattended()}  {UNATTENDED_MEANS}"

    def _unattended(self) -> str:
        return self.palette.yellow(f"[{UNATTENDED}]")

    def _task(self, task: PlannedTask, *, several: bool) -> Iterator[str]:
        palette = self.palette
        org = f"{safe.line(task.ref.org_name)}/" if several else ""
        place = palette.dim(place_of(task.file or None, task.line))
        sign = palette.bold(self._paint(task.action)(SIGNS[task.action]))
        mark = f" {self._unattended()}" if task.unattended else ""
        yield f"  {sign} {org}{palette.bold(safe.line(task.ref.key))}{mark}  {place}".rstrip()
        for row in self._explained(task):
            yield f"{_INDENT}{row}"
        columns = self.style.width - len(_INDENT)
        verbose = self.style.verbose
        rows: list[str] = []
        if task.creates and task.desired is not None and not task.diff:
            rows = setting_rows(task.desired.inputs, columns, palette, verbose=verbose)
        elif task.diff:
            rows = change_rows(task.diff, columns, palette, verbose=verbose)
        yield from (f"{_INDENT}{row}" for row in rows)

    def _explained(self, task: PlannedTask) -> list[str]:
        columns = self.style.width - len(_INDENT)
        words = word(task.explanation)
        rows = cells.flowed(safe.line(words.note), columns) if words.note else []
        rows += hint_rows(words.hints, columns, self.palette)
        told = task.task_id is None or mention(task.remarks, task.task_id)
        if told or task.action is Action.UNCHANGED:
            return rows
        return [*rows, self.palette.dim(f"taskID {safe.line(task.task_id or '')}")]

    def _not_visible(self) -> Iterator[str]:
        """Those that only their record proves: once for each explanation, not for each task."""
        if self.style.verbose:
            return
        why: dict[str, list[PlannedTask]] = {}
        for task in self.plan.tasks:
            if task.reason is Reason.NOT_VISIBLE:
                why.setdefault(word(task.explanation).note, []).append(task)
        sign = self.palette.dim(SIGNS[Action.UNCHANGED])
        for note, tasks in why.items():
            named = tasks[0].ref.key if len(tasks) == 1 else f"{len(tasks)} tasks"
            yield f"  {sign} {safe.line(named)}"
            for row in cells.flowed(safe.line(note), self.style.width - len(_INDENT)):
                yield f"{_INDENT}{row}"
            yield ""

    def _closing(self, shown: list[PlannedTask]) -> Iterator[str]:
        if not self.plan.complete:
            text = "Incomplete: existing tasks could not be read completely."
            rows = cells.flowed(text, self.style.width)
            yield from (self.palette.yellow(row) for row in rows)
        anew = sum(task.reason is Reason.RECREATE for task in shown)
        if anew:
            yield f"Apply creates {anew} of the gone tasks again."
        if not any(task.action is not Action.UNCHANGED for task in shown):
            yield no_changes_row(self.plan)
        elif not self.plan.can_apply():
            yield "Apply would make no changes."

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
            Action.ORPHANED: palette.blue,
            Action.UNRESOLVED: palette.magenta,
        }.get(action, palette.dim)
