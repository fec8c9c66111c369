"""Makes plans for `plan` and `apply` from facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from reconciler.app.context import Context
from reconciler.app.reading import Reader
from reconciler.app.workspace import may_apply
from reconciler.model.budget import Outlook, budget_problems
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    Diagnostic,
    Place,
    RemoteError,
    Severity,
    TaskctlError,
    error,
)
from reconciler.model.remarks import remark
from reconciler.model.service import Identity
from reconciler.model.value import Value, replace
from reconciler.plan import updates
from reconciler.plan.explain import explain
from reconciler.plan.explanation import Explanation
from reconciler.plan.facts import Facts
from reconciler.plan.hold import with_room
from reconciler.plan.plan import Plan, Reason
from reconciler.plan.planned import unresolved
from reconciler.plan.steps import Inputs, make_plan
from reconciler.state.edit import mark_done
from reconciler.system import memory


class Round(Value, frozen=True):
    """What was read, what the tasks say about themselves, and the plan that follows."""

    facts: Facts
    explanation: Explanation
    plan: Plan


def explained(inputs: Inputs, facts: Facts) -> Explanation:
    """What the tasks that were read say about themselves."""
    return explain(inputs.state, facts, inputs.declared, inputs.options.settle_time, inputs.ages)


def first_round(
    ctx: Context,
    reader: Reader,
    inputs: Inputs,
    known: Sequence[Diagnostic],
    *,
    only_own: bool = False,
    advance: Callable[[Facts], None] | None = None,
) -> Round:
    """Reads, explains and plans, with all diagnostics; `known` are those of the manifests. For an
    apply, an exhausted budget and a wrong identity are errors. For `only_own` and `advance`, see
    `Reader.read`. Raises TaskctlError."""
    is_apply = inputs.ages is not None
    facts = reader.read(inputs, only_own=only_own, advance=advance)
    explanation = explained(inputs, facts)
    plan = _with_budgets(reader, _plan(inputs, facts, explanation), facts)
    diagnostics = (
        *known,
        *plan.diagnostics,
        *_restriction_warnings(reader, plan, facts.identity),
        *_wrong_identity(ctx, refusing=is_apply),
        *budget_problems(plan.budgets, over_budget=inputs.options.over_budget, refusing=is_apply),
    )
    succeeded = tuple(sorted(e.record.ref for e in mark_done(inputs.state, facts.done)))
    return Round(facts, explanation, replace(plan, diagnostics=diagnostics, succeeded=succeeded))


def later_plan(reader: Reader, inputs: Inputs, facts: Facts, explanation: Explanation) -> Plan:
    """The plan of a later round, which creates nothing where the budget is exhausted."""
    plan = _plan(inputs, facts, explanation)
    if plan.options.over_budget:
        return plan
    orgs = sorted({task.ref.org_name for task in plan.tasks if task.creates})
    used_up = {org for org in orgs if (budget := reader.budget(org)) and budget.exhausted}
    tasks = (
        unresolved(task, Reason.RETRY, remark("attempt.budget", org=task.ref.org_name))
        if task.creates and task.ref.org_name in used_up
        else task
        for task in plan.tasks
    )
    return replace(plan, tasks=tuple(tasks))


def _plan(inputs: Inputs, facts: Facts, explanation: Explanation) -> Plan:
    memory.resume_collection()  # comparisons leave reference cycles behind
    return with_room(make_plan(inputs, facts, explanation), inputs.state)


def _restriction_warnings(reader: Reader, plan: Plan, identity: Identity) -> Iterator[Diagnostic]:
    """A warning for each unfinished task that is less restricted than its manifest. Whether an
    idle task has finished is in its events; if they cannot be read, it counts as unfinished."""
    tasks = {task.ref: task for task in plan.tasks if updates.less_restricted(task)}
    idle = [
        task.record
        for task in tasks.values()
        if task.record and task.remote and task.remote.raw.get("status") == "idle"
    ]
    with suppress(RemoteError):
        for status in reader.statuses(idle):
            if status.state.has_ended:
                del tasks[status.ref]
    for task in tasks.values():
        yield updates.restriction_warning(task, identity)


def _with_budgets(reader: Reader, plan: Plan, facts: Facts) -> Plan:
    """Adds the budget of each organization that the plan creates tasks in. A plan that creates no
    tasks requests no budget, to be fast."""
    creates = sorted({task.ref.org_name for task in plan.tasks if task.creates})
    budgets = [budget for org in creates if (budget := reader.budget(org)) is not None]
    return replace(plan, budgets=tuple(Outlook(each, facts.clocks.moment) for each in budgets))


def _wrong_identity(ctx: Context, *, refusing: bool) -> tuple[Diagnostic, ...]:
    """A note if the configuration requires another identity for apply. Raises TaskctlError if
    `refusing`."""
    required = ctx.settings.apply_as
    if required is None or may_apply(ctx):
        return ()
    who = ctx.client.identity()
    identity = f"team:{who.team}" if who.team else f"login:{who.login}, user-id:{who.id}"
    facts, at = {"required": required, "identity": identity}, Place(ctx.settings.config_file)
    if refusing:
        raise TaskctlError.of(Code.WRONG_IDENTITY, at=at, **facts)
    return (Diagnostic(Code.WRONG_IDENTITY, Severity.NOTE, "plan", facts, at),)


def failures_of(plan: Plan, kinds: Sequence[str]) -> tuple[Diagnostic, ...]:
    """An error for each of the `kinds` for which the plan has tasks."""
    found = []
    for kind in kinds:
        keys = tuple(str(task.ref) for task in plan.tasks if task.action.value == kind)
        if keys:
            found.append(error(Code.FAIL_ON, kind=kind, keys=keys))
    return tuple(found)
