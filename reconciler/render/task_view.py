"""What every format shows of a report: its tasks, its diagnostics, and both as issues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.plan import ACTIONS
from reconciler.messages.remarks import Hint, Words, word_remarks
from reconciler.model.diagnostics import Diagnostic, Place, Severity, count, in_order
from reconciler.model.task import Inputs, TaskRef
from reconciler.model.wire import console_url
from reconciler.plan.plan import Action, Change, Plan, PlannedTask
from reconciler.render.reports import Report, Style
from reconciler.render.summary import LABELS
from reconciler.render.wait.report import WaitedReport
from reconciler.tasks.status import TaskState, TaskStatus, open_requests

Locate = Callable[[str], str]

ORDER = {action: place for place, action in enumerate(Action)}
"""The most urgent action comes first."""


@dataclass(frozen=True, slots=True)
class TaskView:
    """One task. `word` is its action, result or status. `level` is set if someone should look at
    it. `inputs` are those of a task that is to be created. `unattended`: it may act without
    approval. The text is not escaped yet."""

    ref: TaskRef
    word: str
    sign: str
    level: Severity | None
    file: str | None
    line: int | None
    why: str = ""
    hints: tuple[Hint, ...] = ()
    task_id: str | None = None
    url: str | None = None
    inputs: Inputs | None = None
    diff: tuple[Change, ...] = ()
    unattended: bool = False

    @property
    def key(self) -> str:
        return self.ref.key

    @property
    def label(self) -> str:
        """`word` for readers."""
        return LABELS.get(self.word, self.word)

    @property
    def text(self) -> str:
        """The label, the reason and the hints, for plain-text formats."""
        head = f"{self.label}: {self.why}" if self.why else self.label
        return "\n".join([head, *(line for hint in self.hints for line in hint.lines)])


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedView(TaskView):
    """A task of a plan."""

    task: PlannedTask

    @property
    def note(self) -> str:
        """The reason, unless the legend already has it."""
        return "" if self.why == ACTIONS.get(self.word) else self.why

    @property
    def values(self) -> Mapping[str, str]:
        """The values that an entry generates the task from."""
        return self.task.generated.values if self.task.generated is not None else {}

    def similarity_key(self) -> list[object]:
        """Equal for tasks that have the same remarks, except for names and values."""
        task = self.task
        paths = {change.path.partition(".")[0].partition("[")[0] for change in task.diff}
        cases = [remark.case for remark in task.remarks]
        return [task.action.value, task.reason.value, cases, sorted(paths)]


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
_RESULTS: dict[Result, tuple[str, Severity | None]] = {
    Result.CREATED: ("+", None),
    Result.REPLACED: ("-/+", None),
    Result.ADOPTED: (">", None),
    Result.MOVED: (">", None),
    Result.FORGOTTEN: ("-", None),
    Result.UPDATED: ("~", None),
    Result.FAILED: ("x", Severity.ERROR),
    Result.UNRESOLVED: ("?", Severity.ERROR),
    Result.NOT_STARTED: ("-", Severity.WARNING),
}
_STATES: dict[TaskState, tuple[str, Severity | None]] = {
    TaskState.DONE: ("=", None),
    TaskState.RUNNING: ("~", Severity.WARNING),
    TaskState.WAITING: ("?", Severity.WARNING),
}
"""All other states are failures."""


def task_views(report: Report, locate: Locate) -> list[TaskView]:
    """The tasks: of a plan by urgency, of an apply in its order."""
    match report:
        case Plan():
            tasks = sorted(report.tasks, key=urgency)
            return [planned_view(report, task, locate) for task in tasks]
        case WaitedReport():
            waited_for = {status.ref for status in report.statuses}
            found = [_status_view(status, locate) for status in report.statuses]
            rest = [task for task in report.tasks if task.ref not in waited_for]
            return [*found, *(_result_view(task, locate) for task in rest)]
        case ApplyReport():
            return [_result_view(task, locate) for task in report.tasks]
    return []


def urgency(task: PlannedTask) -> tuple[object, ...]:
    return (ORDER[task.action], task.ref)


def planned_view(plan: Plan, task: PlannedTask, locate: Locate) -> PlannedView:
    level, is_new, words = None, task.creates and not task.diff, word_remarks(task.explanation)
    if task.action is Action.UNRESOLVED:
        level = Severity.WARNING
    elif task.action is Action.GONE and not task.creates:
        level = Severity.NOTE
    return PlannedView(
        task=task,
        ref=task.ref,
        word=task.action.value,
        sign=SIGNS[task.action],
        level=level,
        file=_located(task.file or None, locate),
        line=task.line,
        why=words.note,
        hints=words.hints,
        task_id=task.task_id,
        url=console_url(plan.backend, task.ref.org_name, task.task_id) if task.task_id else None,
        inputs=task.desired.inputs if is_new and task.desired is not None else None,
        diff=task.diff,
        unattended=task.unattended,
    )


def _status_view(status: TaskStatus, locate: Locate) -> TaskView:
    """A task that was waited for."""
    sign, level = _STATES.get(status.state, ("x", Severity.ERROR))
    commands = [request.command_line for request in open_requests(status)]
    hints = tuple(Hint("", (command,)) for command in commands[:1] if command)
    return _view(status, status.state, sign, level, Words(status.summary.words, hints), locate)


def _result_view(task: TaskResult, locate: Locate) -> TaskView:
    sign, level = _RESULTS[task.result]
    words = word_remarks(task.problems or task.warnings)
    return replace(_view(task, task.result, sign, level, words, locate), line=task.line)


def _view(
    task: TaskResult | TaskStatus,
    word: Result | TaskState,
    sign: str,
    level: Severity | None,
    words: Words,
    locate: Locate,
) -> TaskView:
    file = _located(task.file or None, locate)
    return TaskView(
        task.ref, word.value, sign, level, file, None, *words, task_id=task.task_id, url=task.url
    )


class Issue(NamedTuple):
    """A diagnostic, or a task that someone should look at, for formats that list both. `number` is
    how many problems it stands for."""

    rule: str
    level: Severity
    text: str
    at: Place
    number: int = 1


def issues(report: Report, style: Style, worded: Callable[[Diagnostic], str]) -> Iterator[Issue]:
    """The diagnostics, with the text of `worded`, then the tasks. Nothing is escaped yet."""
    for found in diagnostics_of(report, style):
        number = count([found], found.severity)
        yield Issue(found.code.value, found.severity, worded(found), found.at, number)
    for view in task_views(report, style.locate):
        if view.level is not None:
            path = (view.ref.org_name, view.key)
            at = Place(view.file, view.line, key=view.key, path=path)
            yield Issue(f"task/{view.word}", view.level, f"{view.key}: {view.text}", at)


def diagnostics_of(report: Report, style: Style) -> list[Diagnostic]:
    """The diagnostics in order, with paths relative to the repository."""
    return [replace(d, at=_relative(d.at, style.locate)) for d in in_order(report.diagnostics)]


def _relative(at: Place, locate: Locate) -> Place:
    row = at.row and at.row._replace(file=locate(at.row.file))
    return replace(at, file=_located(at.file, locate), row=row)


def _located(file: str | None, locate: Locate) -> str | None:
    return None if file is None else locate(file)
