"""The report of an apply: the outcome of each task that required action."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from typing import Self

from reconciler.model.budget import Outlook
from reconciler.model.diagnostics import Diagnostic, Severity, has_errors
from reconciler.model.remarks import Remark
from reconciler.model.task import TaskRef, natural
from reconciler.model.value import Value, replace


class Result(StrEnum):
    """The result for a task, in the order of reports. `sign` and `color` (of `Palette`) are for
    reports; `severity` is set unless the result is a success."""

    CREATED = "created", "+", "green"
    ADOPTED = "adopted", ">", "cyan"
    MOVED = "moved", ">", "cyan"
    UPDATED = "updated", "~", "yellow"
    REPLACED = "replaced", "-/+", "green"
    FORGOTTEN = "forgotten", "-", "cyan"
    FAILED = "failed", "x", "red", Severity.ERROR
    UNRESOLVED = "unresolved", "?", "magenta", Severity.ERROR
    NOT_STARTED = "notStarted", "-", "dim", Severity.WARNING

    sign: str
    color: str
    severity: Severity | None

    def __new__(cls, value: str, sign: str, color: str, severity: Severity | None = None) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sign, member.color, member.severity = sign, color, severity
        return member


class TaskResult(Value, frozen=True):
    """The outcome of one task. `problems` are the reasons why it failed or is unresolved. `file`
    and `line` are its location in a manifest. `replaced` is the task that it replaced, `updated`
    are the settings that were changed. `was_planned`: the plan also had it as unresolved, so it is
    not a failure with `--fail-on none`. `unfinished`: the task that was replaced or forgotten may
    still be running."""

    ref: TaskRef
    result: Result
    task_id: str | None = None
    url: str | None = None
    problems: tuple[Remark, ...] = ()
    file: str | None = None
    line: int | None = None
    replaced: str | None = None
    updated: tuple[str, ...] = ()
    was_planned: bool = False
    unfinished: bool = False


class ApplyReport(Value, frozen=True):
    """The results of an apply. `budgets` were read for the plan, before any create; `held` is the
    number of tasks that must not be created yet. `only_new`: failures that the plan predicted do
    not count."""

    tasks: tuple[TaskResult, ...]
    diagnostics: tuple[Diagnostic, ...] = ()
    budgets: tuple[Outlook, ...] = ()
    held: int = 0
    only_new: bool = False

    def summary(self) -> dict[str, int]:
        """The number of tasks for each result, and of those that are held; zeros included."""
        counts = Counter(task.result for task in self.tasks)
        good = {result.value: counts[result] for result in Result if result.severity is None}
        bad = {result.value: counts[result] for result in Result if result.severity is not None}
        return {**good, "held": self.held, **bad}

    def failed(self) -> bool:
        """Whether a task failed, is unresolved or was not started, or there is any other error."""
        severities = (task.result.severity for task in self.tasks if not task.was_planned)
        return any(s is not None for s in severities) or has_errors(self.diagnostics)


def only_new(report: ApplyReport, unresolved: Collection[TaskRef]) -> ApplyReport:
    """The report in which only failures that its plan does not predict count. Keys that were
    `unresolved` in the plan may still be unresolved."""
    tasks = tuple(
        replace(task, was_planned=True)
        if task.ref in unresolved and task.result is Result.UNRESOLVED
        else task
        for task in report.tasks
    )
    return replace(report, tasks=tasks, only_new=True)


def of_both_waves(before: ApplyReport, after: ApplyReport) -> ApplyReport:
    """The combined report of two waves of an apply."""
    tasks = {task.ref: task for task in (*before.tasks, *after.tasks)}
    new = (d for d in after.diagnostics if d not in before.diagnostics)
    ordered = tuple(tasks[ref] for ref in sorted(tasks, key=natural))
    budgets = before.budgets or after.budgets
    return ApplyReport(ordered, (*before.diagnostics, *new), budgets, after.held, before.only_new)
