"""Plans for `plan` and `apply`: the manifests, the state and the service, put together."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.messages.notes import Note
from reconciler.model.codes import Code
from reconciler.model.diagnostics import error
from reconciler.model.options import AdoptScope, PlanOptions
from reconciler.plan.budget import Outlook, budget_problems
from reconciler.plan.codec import options_json
from reconciler.plan.lookup import lookups
from reconciler.plan.plan import Action, Plan, Reason
from reconciler.plan.planner import PlanInputs, make_plan
from reconciler.plan.replacement import refuse_wrong
from reconciler.plan.selection import Selection, select
from reconciler.plan.view import RemoteView

if TYPE_CHECKING:
    from reconciler.manifest import Manifests
    from reconciler.model.diagnostics import Diagnostic
    from reconciler.model.task import DesiredTask, TaskRef
    from reconciler.plan.age import LockHolder
    from reconciler.state.model import State


@dataclass(frozen=True, slots=True)
class Workspace:
    """The manifests of a plan, their organizations resolved. `scope` are the PATHs, normalized;
    `options` include the limits that manifests and configuration set."""

    manifests: Manifests
    scope: tuple[str, ...]
    options: PlanOptions

    @property
    def desired(self) -> tuple[DesiredTask, ...]:
        return self.manifests.tasks


def open_workspace(ctx: Context, paths: Sequence[str], options: PlanOptions) -> Workspace:
    """Reads the manifests, then finds backend, token and organization. TaskctlError.

    Nothing is sent before all manifests are known to be valid.
    """
    manifests = ctx.read(paths)
    if options.max_creates is None:
        limits = (manifests.max_creates, ctx.settings.max_creates)
        least = min((limit for limit in limits if limit is not None), default=None)
        options = replace(options, max_creates=least)
    _ = ctx.place  # said before anything else is asked for
    _ = ctx.client
    scope = tuple(sorted({normal(path) for path in paths}))
    return Workspace(ctx.with_organizations(manifests), scope, options)


def normal(path: str) -> str:
    """A PATH as manifest files are named: `/`-separated, without `./` or a trailing `/`."""
    return os.path.normpath(path).replace(os.sep, "/")


def real_names(root: Path, names: Iterable[str]) -> dict[str, str]:
    """PATHs and manifest files that are absolute or lead through a link, each with its real name in
    the working directory: one file must not count as two."""
    real_root = os.path.realpath(root)
    found = {}
    for name in set(names):
        real = normal(os.path.relpath(os.path.realpath(Path(root, name)), real_root))
        if real != name:
            found[name] = real
    return found


class Planning:
    """Reads the service and makes plans for one workspace; `view` is what was read last. `holder`:
    what an apply knows about the age of its attempts."""

    def __init__(self, ctx: Context, space: Workspace, holder: LockHolder | None = None) -> None:
        self._ctx = ctx
        self._space = space
        self._survey = ctx.survey(space.options.settle_time)
        self._holder = holder
        self._selection: Selection | None = None
        self.view: RemoteView | None = None

    def plan(self, state: State, options: PlanOptions, *, refusing: bool) -> Plan:
        """The plan on `state` with all that is to be said about it. With `refusing`, as apply has
        it, a used up budget is an error. RemoteError."""
        plan = self._with_budgets(self.replan(state, options))
        money = budget_problems(plan.budgets, over_budget=options.over_budget, refusing=refusing)
        notes = self._selected(state, options).notes(options)
        told: tuple[Diagnostic, ...] = self._space.manifests.diagnostics
        return replace(plan, diagnostics=(*told, *plan.diagnostics, *notes, *money))

    def replan(
        self, state: State, options: PlanOptions, only: Collection[TaskRef] | None = None
    ) -> Plan:
        """The plan for the keys `only`. RemoteError."""
        space = self._space
        only = self._selected(state, options).within(only)
        asked = [t for t in space.desired if only is None or t.ref in only]
        view = self._survey.read(
            lambda identity, clocks: lookups(
                asked, state, identity, options, clocks, only=only, holder=self._holder
            )
        )
        self.view = view
        names = real_names(self._ctx.settings.root, [*space.scope, *state.files()])
        inputs = PlanInputs(
            space.desired,
            state,
            view,
            options,
            space.scope,
            only,
            self._holder,
            names,
            space.manifests.removed,
        )
        made = make_plan(inputs)
        return replace(made, options=options_json(options))

    def _selected(self, state: State, options: PlanOptions) -> Selection:
        """Once: what apply does closes attempts, and a pattern could match nothing later."""
        if self._selection is None:
            space = self._space
            self._selection = select(options, space.desired, state, space.scope)
            refuse_wrong(options, space.desired, state, self._selection.refs)
        return self._selection

    def _with_budgets(self, plan: Plan) -> Plan:
        """With the budget of each organization that the plan creates tasks in. A plan without
        creates requests none: it has to be quick."""
        creates = {task.ref.org_name for task in plan.tasks if task.creates}
        budgets = [b for org in sorted(creates) if (b := self._ctx.budget(org)) is not None]
        if self.view is None or not budgets:
            return plan
        now = self.view.clocks.moment
        return replace(plan, budgets=tuple(Outlook(budget, now) for budget in budgets))


FAILING = {
    "changed": Action.CHANGED,
    "orphaned": Action.ORPHANED,
    "unresolved": Action.UNRESOLVED,
}
"""What `--fail-on` can name."""


def failures_of(plan: Plan, kinds: Sequence[str]) -> tuple[Diagnostic, ...]:
    """An error for each of the `kinds` that the plan has tasks of. An attempt that is younger than
    the settle time is not unresolved yet: apply waits for it."""
    found = []
    for kind in kinds:
        tasks = (task for task in plan.tasks if task.reason is not Reason.SETTLING)
        keys = tuple(str(task.ref) for task in tasks if task.action is FAILING[kind])
        if keys:
            found.append(error(Code.FAIL_ON, kind=kind, keys=keys))
    return tuple(found)


def note_if_new(ctx: Context, space: Workspace, state: State) -> None:
    """On a new state, existing tasks may be adopted: says so, and why."""
    if state.is_new and space.options.adopt in (None, AdoptScope.ALL):
        is_there = state.records or ctx.is_shared
        note = Note.NO_APPLY_YET if is_there else Note.NEW_STATE
        ctx.ui.note(note, path=ctx.place.shown)
        if space.scope:
            ctx.ui.note(Note.NEW_STATE_IN_SCOPE)
