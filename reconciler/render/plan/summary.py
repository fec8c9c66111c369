"""Sentences about a whole plan: its target, its counts, its outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from reconciler.messages.catalog import entry
from reconciler.messages.remarks import phrase, templates
from reconciler.messages.template import amount
from reconciler.model.budget import Outlook, minute
from reconciler.model.codes import Code
from reconciler.model.remarks import Arg
from reconciler.model.service import Identity
from reconciler.plan.plan import Action, Plan
from reconciler.render import safe
from reconciler.render.plan.items import COUNTED, items_of
from reconciler.render.plan.tasks import planned_views
from reconciler.render.style import counted, listed

_EMBEDDED = "local"  # the backend of the embedded service


def plan_summary(plan: Plan) -> str:
    """`Plan: 1 to create, 1 differs, 7 unchanged.`, and why apply would exit 1."""
    fails = f" {text}" if (text := fail_sentence(plan)) else ""
    return f"Plan: {listed(plan.summary().items(), COUNTED)}.{fails}"


def fail_sentence(plan: Plan) -> str:
    """The reason why apply would exit 1, and whether it would still do the rest; empty if it would
    succeed."""
    reasons = plan.fail_reasons()
    if not reasons:
        return ""
    counts = Counter(reason.code for reason in reasons)
    words = ", ".join(_reason(code, number) for code, number in counts.items())
    if any(reason.blocking for reason in reasons):
        return f"Apply will exit 1 before it does anything: {words}."
    rest = " It still does the rest." if plan.has_changes() else ""
    return f"Apply will exit 1: {words}.{rest}"


def _reason(code: Code, number: int) -> str:
    if (case := f"fails.{code}") in templates("remarks"):
        return phrase(case, count=number)
    title = entry(code).title
    return title[:1].lower() + title[1:]


def plan_target(plan: Plan) -> str:
    """` for acme on https://api.pulumi.com, as ada`: part of the first line of every format."""
    names = ", ".join(map(safe.line, plan.organizations()))
    orgs = f" for {names} on" if names else " for"
    by = f", as {who(plan.identity)}" if plan.identity else ""
    return f"{orgs} {service_of(plan, safe.line)}{by}"


def service_of(plan: Plan, marked: Callable[[str], str]) -> str:
    """The service of a plan as part of a sentence; `marked` formats its address."""
    return "the embedded service" if plan.backend == _EMBEDDED else marked(plan.backend)


def who(identity: Identity) -> str:
    """The login of an identity, and the organization or team of its token."""
    bound = [
        f"{word} {safe.line(value)}"
        for word, value in (("organization", identity.organization), ("team", identity.team))
        if value
    ]
    name = safe.line(identity.login or identity.id)
    return f"{name} ({', '.join(bound)})" if bound else name


def outcome(plan: Plan) -> str:
    """The effect of an apply that acts on no task: nothing, or only resolving attempts or recording
    successes; empty otherwise."""
    if plan.has_changes():
        if plan.followers or any(task.applies for task in plan.tasks):
            return ""
        recorded = [
            *(
                [f"{counted(len(plan.closed), 'earlier attempt')} created no task"]
                * bool(plan.closed)
            ),
            *([f"{counted(len(plan.succeeded), 'awaited task')} succeeded"] * bool(plan.succeeded)),
        ]
        if plan.notes:
            recorded.append("earlier tasks of its keys were replaced")
        return f"Apply records that {' and '.join(recorded)}."
    is_limited = bool(plan.options.target)
    if not plan.tasks:
        return "No tasks selected." if is_limited else "No changes. There are no tasks."
    if all(task.action is Action.UNCHANGED for task in plan.tasks):
        which = "selected" if is_limited else "declared"
        return f"No changes. All {which} tasks exist."
    return "" if plan.fail_reasons() else "Nothing to apply."


def shortened_count(plan: Plan, *, verbose: bool) -> str:
    """` 12 prompts are shortened; -v shows them.`, for the plan as text; empty if all are
    complete."""
    if verbose:
        return ""
    number = items_of(plan, planned_views(plan, plan.tasks)).shortened()
    prompts = "prompt is" if number == 1 else "prompts are"
    return f" {number:,} {prompts} shortened; -v shows them." if number else ""


def confirmation(plan: Plan, *, verbose: bool, is_shown: bool) -> tuple[str, dict[str, Arg]]:
    """The question whether to apply a plan, and its facts."""
    facts: dict[str, Arg] = {"summary": _to_confirm(plan, is_shown=is_shown)}
    replaced = sum(task.action is Action.REPLACE for task in plan.tasks)
    count = sum(task.creates for task in plan.tasks) + len(plan.followers) - replaced
    if not count and not replaced:
        return "ask.change", facts
    facts |= {"count": count, "replaced": replaced}
    facts["shortened"] = shortened_count(plan, verbose=verbose)
    return "ask.both" if count and replaced else "ask.create" if count else "ask.replace", facts


def _to_confirm(plan: Plan, *, is_shown: bool) -> str:
    """What a person confirms: how many tasks are unattended, and how many are created later. The
    summary comes first, unless the plan was just shown, which ends with it."""
    unattended = sum(task.applies and task.unattended for task in plan.tasks)
    are = "is" if unattended == 1 else "are"
    line = f"{unattended} of these tasks {are} unattended. " if unattended else ""
    if later := len(plan.followers):
        line += f"{sum(task.creates for task in plan.tasks)} now, up to {later} later. "
    return line if is_shown else f"{plan_summary(plan)}\n{line}"


def budget_lines(
    outlooks: Sequence[Outlook], name: Callable[[str], str] = safe.line
) -> Iterator[str]:
    """`Budget: 1.2M of 2.0M tokens used, until 2026-12-01 00:00 UTC.`

    With several budgets, each line names its organization, escaped by `name`.
    """
    for outlook in outlooks:
        budget, end = outlook.budget, outlook.budget.window_end
        where = f" of {name(budget.org_name)}" if len(outlooks) > 1 else ""
        until = f", until {minute(end)}" if end is not None else ""
        used, allowance = amount(budget.used), amount(budget.allowance)
        yield f"Budget{where}: {used} of {allowance} tokens used{until}."
