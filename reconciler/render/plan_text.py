"""A plan as text, after Terraform's habits; made to be reviewed by a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from reconciler.model.task import Identity
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason
from reconciler.render import cells, safe
from reconciler.render.budget import budget_rows
from reconciler.render.diagnostics import place_of
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

LEGEND = {
    Action.CREATE: "it is missing: apply creates it",
    Action.REPLACE: "it exists: apply creates a new one in its place",
    Action.ADOPT: "it exists already: apply records it",
    Action.MOVE: "its key changed: apply moves its record",
    Action.UPDATE: "it differs from its manifest: apply changes it in place",
    Action.CHANGED: "it differs from its manifest: left as it is",
    Action.GONE: "the service does not find it any more",
    Action.ORPHANED: "it is in no manifest any more: left as it is",
    Action.UNRESOLVED: "it may exist already: not created before that is settled",
}

WHY = {
    Reason.RETRY: "an earlier attempt made no task",
    Reason.TASK_ID: "the manifest names it",
    Reason.ATTEMPT: "an attempt whose answer was lost made it",
    Reason.LOOK_ALIKE: "it does the same work and has no record",
    Reason.MOVED: "the record of the old key becomes this one's",
    Reason.ASKED: "--replace asks for a new task",
    Reason.IN_PLACE: "its settings are changed in place",
    Reason.UNFINISHED: "its name or sharing is still to be set; apply does it",
    Reason.NOT_FOUND: "the service does not find it",
    Reason.RECREATE: "the service does not find it; apply creates it anew",
    Reason.NOT_VISIBLE: "another identity made it and this one cannot see it",
    Reason.FRESH: "created a moment ago; the service may not show it yet",
    Reason.SETTLING: "an attempt has no outcome yet; apply waits for it",
    Reason.AMBIGUOUS: "what the service shows fits more than one way",
    Reason.UNREADABLE: "what the service has could not be read to the end",
    Reason.OTHER_IDENTITY: "another identity made the attempt",
    Reason.OTHER_ORG: "recorded under another organization",
    Reason.RENAMED: "an orphaned task does the same work",
    Reason.CONFLICT: "its taskID is not found, or recorded otherwise",
}

ALONE = "acts alone"
"""The mark of a task that nobody is asked about; `ALONE_MEANS` is its legend."""
ALONE_MEANS = "approvalMode is auto, not read-only: it asks nobody"

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
    which = "selected task" if plan.is_restricted else "task of the manifests"
    return f"No changes. Each {which} exists."


def alone_row(plan: Plan) -> str:
    """`2 of these may act alone.`, of what apply would do something about; empty where none may."""
    number = sum(task.applies and task.acts_alone for task in plan.tasks)
    return f"{number} of these may act alone." if number else ""


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
        actions = [action for action in LEGEND if any(t.action is action for t in shown)]
        if actions:
            yield ""
        pad = max((len(action) for action in actions), default=0)
        width = max((len(SIGNS[action]) for action in actions), default=1)
        for action in actions:
            sign = self._paint(action)(f"{SIGNS[action]:{width}} {action.value:{pad}}")
            yield f"  {sign}  {LEGEND[action]}"
        if any(task.acts_alone for task in shown):
            yield f"  {self._alone()}  {ALONE_MEANS}"

    def _alone(self) -> str:
        return self.palette.yellow(f"[{ALONE}]")

    def _task(self, task: PlannedTask, *, several: bool) -> Iterator[str]:
        palette = self.palette
        org = f"{safe.line(task.ref.org_name)}/" if several else ""
        place = palette.dim(place_of(task.file or None, task.line))
        sign = palette.bold(self._paint(task.action)(SIGNS[task.action]))
        alone = f" {self._alone()}" if task.acts_alone else ""
        yield f"  {sign} {org}{palette.bold(safe.line(task.ref.key))}{alone}  {place}".rstrip()
        for row in self._explained(task):
            yield f"{_INDENT}{row}"
        for row in task.remedy.split("\n") if task.remedy else ():
            yield f"{_INDENT}  {palette.cyan(safe.line(row))}"
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
        why = task.note or WHY.get(task.reason, "")
        rows = cells.flowed(safe.line(why), columns) if why else []
        told = task.task_id is None or task.task_id in task.note
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
                why.setdefault(task.note or WHY[Reason.NOT_VISIBLE], []).append(task)
        sign = self.palette.dim(SIGNS[Action.UNCHANGED])
        for note, tasks in why.items():
            named = tasks[0].ref.key if len(tasks) == 1 else f"{len(tasks)} tasks"
            yield f"  {sign} {safe.line(named)}"
            for row in cells.flowed(safe.line(note), self.style.width - len(_INDENT)):
                yield f"{_INDENT}{row}"
            yield ""

    def _closing(self, shown: list[PlannedTask]) -> Iterator[str]:
        if not self.plan.complete:
            text = "Not complete: what the service has could not be read to the end."
            rows = cells.flowed(text, self.style.width)
            yield from (self.palette.yellow(row) for row in rows)
        anew = sum(task.reason is Reason.RECREATE for task in shown)
        if anew:
            yield f"Of those gone, apply creates {anew} anew."
        if not any(task.action is not Action.UNCHANGED for task in shown):
            yield no_changes_row(self.plan)
        elif not self.plan.can_apply():
            yield "Nothing to do: apply leaves all of this as it is."

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
