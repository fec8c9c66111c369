"""Sentences that several formats share: counts, the target of a plan, its outcome, budgets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from reconciler.apply.report import ApplyReport, Result
from reconciler.messages.plan import COUNTED
from reconciler.messages.template import amount
from reconciler.model.diagnostics import Severity, count
from reconciler.model.task import Identity
from reconciler.plan.budget import Outlook, minute
from reconciler.plan.plan import Action, Plan
from reconciler.render import safe
from reconciler.render.formats.text import counted, validate_summary
from reconciler.render.reports import FailureReport, Report, Style, ValidateReport
from reconciler.render.wait.report import WaitedReport
from reconciler.tasks.status import counts

LABELS = {"notStarted": "not started"}
"""Results that are not shown by their name in documents."""

USUAL_RESULTS = (
    Result.CREATED,
    Result.ADOPTED,
    Result.FAILED,
    Result.UNRESOLVED,
    Result.NOT_STARTED,
)
"""Listed even if their count is 0."""

_USUAL_ACTIONS = (
    Action.CREATE,
    Action.ADOPT,
    Action.CHANGED,
    Action.ORPHANED,
    Action.UNCHANGED,
)


_COMMANDS = {Plan: "plan", ApplyReport: "apply", ValidateReport: "validate", FailureReport: ""}


def command_of(report: Report) -> str:
    """The command that the report is about; empty if the command failed early."""
    return report.command if isinstance(report, WaitedReport) else _COMMANDS[type(report)]


def report_summary(report: Report) -> str:
    """The last line of the text format, without its period."""
    match report:
        case Plan():
            text = plan_summary(report)
        case WaitedReport():
            before = f"{apply_summary(report)} " if report.command == "apply" else ""
            from reconciler.render.status.table import status_summary

            text = f"{before}Wait: {status_summary(report.statuses)}"
        case ApplyReport():
            text = apply_summary(report)
        case ValidateReport():
            text = validate_summary(report)
        case FailureReport():
            errors = count(report.diagnostics, Severity.ERROR)
            text = f"Failed: {counted(errors, 'error')}."
    return text.removesuffix(".")


def plan_summary(plan: Plan) -> str:
    """`Plan: 1 to create, ...`"""
    fails = " Apply will fail." if plan.apply_will_fail() else ""
    return f"Plan: {_listed(plan.summary().items(), COUNTED, _USUAL_ACTIONS)}.{fails}"


def apply_summary(report: ApplyReport, label: str = "Apply") -> str:
    """`Apply: 3 created, ...`"""
    return f"{label}: {_listed(report.summary().items(), LABELS, USUAL_RESULTS)}."


def _listed(
    numbers: Iterable[tuple[str, int]], labels: Mapping[str, str], usual: Collection[str]
) -> str:
    return ", ".join(
        f"{number} {labels.get(word, word)}" for word, number in numbers if number or word in usual
    )


def summary_counts(report: Report) -> Iterator[tuple[str, str, int]]:
    """Word, label and count of each action, result or status that occurs."""
    if isinstance(report, WaitedReport):
        yield from ((state.value, state.value, n) for state, n in counts(report.statuses).items())
    elif isinstance(report, Plan | ApplyReport):
        for word, number in report.summary().items():
            if number:
                yield word, LABELS.get(word, word), number


def plan_target(plan: Plan) -> str:
    """` for acme on https://api.pulumi.com, as ada`: part of the first line of every format."""
    names = ", ".join(map(safe.line, plan.organizations()))
    orgs = f" for {names} on" if names else " for"
    by = f", as {who(plan.identity)}" if plan.identity else ""
    return f"{orgs} {safe.line(plan.backend)}{by}"


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
    """Says that apply would do nothing; empty otherwise."""
    if not plan.tasks:
        return "No changes. There are no tasks."
    if all(task.action is Action.UNCHANGED for task in plan.tasks):
        which = "selected" if plan.is_restricted else "declared"
        return f"No changes. All {which} tasks exist."
    return "" if plan.can_apply() else "Apply would make no changes."


def unattended_count(plan: Plan) -> str:
    """`2 of these tasks are unattended.`, counting those that apply would act on; may be empty."""
    number = sum(task.applies and task.unattended for task in plan.tasks)
    are = "is" if number == 1 else "are"
    return f"{number} of these tasks {are} unattended." if number else ""


def budget_lines(
    outlooks: Sequence[Outlook], *, name: Callable[[str], str] = safe.line, mark: str = ""
) -> Iterator[str]:
    """`Budget: 1.2M of 2.0M tokens used, until 2026-12-01 00:00 UTC (in 7 days).`

    With several budgets, each line names its organization, escaped by `name`. `mark` encloses
    times.
    """
    for outlook in outlooks:
        budget, end = outlook.budget, outlook.budget.window_end
        where = f" of {name(budget.org_name)}" if len(outlooks) > 1 else ""
        until = ""
        if end is not None:
            until = f", until {mark}{minute(end)}{mark} ({_away(end - outlook.read_at)})"
        used, allowance = amount(budget.used), amount(budget.allowance)
        yield f"Budget{where}: {used} of {allowance} tokens used{until}."


def budget_rows(outlooks: Sequence[Outlook], style: Style) -> Iterator[str]:
    """The lines for a terminal; exhausted budgets are yellow. Not wrapped, so that logs can be
    searched."""
    for outlook, line in zip(outlooks, budget_lines(outlooks), strict=True):
        yield style.palette.yellow(line) if outlook.budget.exhausted else line


def _away(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds <= 0:
        return "over"
    for word, size, least in (("day", 86400, 2), ("hour", 3600, 2), ("minute", 60, 1)):
        if seconds >= least * size:
            number = round(seconds / size)
            return f"in {number:,} {word}{'' if number == 1 else 's'}"
    return "in less than a minute"
