"""What the formats for CI and browsers show of a task, for plans and applies alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.remarks import Hint, word_remarks
from reconciler.model.diagnostics import Diagnostic, Place, Severity, in_order
from reconciler.model.task import Inputs, TaskRef
from reconciler.model.wire import console_url
from reconciler.plan.plan import Action, Change, Plan, PlannedTask
from reconciler.render.apply_text import apply_summary
from reconciler.render.entry_groups import EntryGroup, entry_groups
from reconciler.render.inbox import answer_command
from reconciler.render.plan_text import SIGNS, summary_row
from reconciler.render.reports import FailureReport, Report, Style, ValidateReport
from reconciler.render.status import status_summary
from reconciler.render.text import validate_summary
from reconciler.render.wait import WaitedReport
from reconciler.tasks.open_requests import open_requests
from reconciler.tasks.status import TaskState, TaskStatus
from reconciler.tasks.status import counts as states


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One task. `word` is its action or result, and `label` the same for readers. `inputs` are set
    if the task is to be created. `file` is relative to the repository. `unattended`: it may act
    without approval. The text is not escaped yet."""

    org_name: str
    key: str
    word: str
    label: str
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
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def lines(self) -> list[str]:
        """The reason and the hints, for plain-text formats."""
        head = f"{self.label}: {self.why}" if self.why else self.label
        return [head, *(line for hint in self.hints for line in hint.lines)]


_RESULT_SIGNS = {
    Result.CREATED: "+",
    Result.REPLACED: "-/+",
    Result.ADOPTED: ">",
    Result.MOVED: ">",
    Result.FORGOTTEN: "-",
    Result.UPDATED: "~",
    Result.FAILED: "x",
    Result.UNRESOLVED: "?",
    Result.NOT_STARTED: "-",
}
_RESULT_LEVELS = {
    Result.FAILED: Severity.ERROR,
    Result.UNRESOLVED: Severity.ERROR,
    Result.NOT_STARTED: Severity.WARNING,
}
_STATES: dict[TaskState, tuple[str, Severity | None]] = {
    TaskState.DONE: ("=", None),
    TaskState.RUNNING: ("~", Severity.WARNING),
    TaskState.WAITING: ("?", Severity.WARNING),
}
"""All other states are failures."""
_LABELS = {Result.NOT_STARTED.value: "not started"}
_ACTION_ORDER = {action.value: place for place, action in enumerate(Action)}


def entries(report: Report, style: Style) -> list[TaskEntry]:
    """The tasks: of a plan by urgency, of an apply in its order."""
    match report:
        case Plan():
            found = [_planned(report, task, style) for task in report.tasks]
            return sorted(found, key=lambda e: (_ACTION_ORDER[e.word], e.org_name, e.key))
        case WaitedReport():
            waited_for = {status.ref for status in report.statuses}
            found = [_standing(status, style) for status in report.statuses]
            rest = [t for t in report.tasks if TaskRef(t.org_name, t.key) not in waited_for]
            return [*found, *(_result(task, style) for task in rest)]
        case ApplyReport():
            return [_result(task, style) for task in report.tasks]
    return []


@dataclass(frozen=True, slots=True)
class FoldedEntry:
    """The tasks of an entry of the manifests that a format folds into one: `group` has what they
    share, `tasks` are those that it shows."""

    group: EntryGroup
    tasks: tuple[TaskEntry, ...]

    @property
    def first(self) -> TaskEntry:
        return self.tasks[0]


def folded(report: Report, shown: Sequence[TaskEntry]) -> list[TaskEntry | FoldedEntry]:
    """The tasks in their order, those of an entry as one item."""
    if not isinstance(report, Plan):
        return list(shown)
    by_ref = {TaskRef(entry.org_name, entry.key): entry for entry in shown}
    groups = entry_groups(report.tasks, [task for task in report.tasks if task.ref in by_ref])
    item_of: dict[TaskRef, TaskEntry | FoldedEntry] = dict(by_ref)
    for group in groups:
        item = FoldedEntry(group, tuple(by_ref[task.ref] for task in group.tasks))
        item_of |= dict.fromkeys((task.ref for task in group.tasks), item)
    items: dict[int, TaskEntry | FoldedEntry] = {}
    for ref in by_ref:
        items.setdefault(id(item_of[ref]), item_of[ref])
    return list(items.values())


def diagnostics_of(report: Report, style: Style) -> list[Diagnostic]:
    """The diagnostics in order, with paths relative to the repository."""
    return [
        d if d.file is None else replace(d, at=_located(d.at, style))
        for d in in_order(report.diagnostics)
    ]


def _located(at: Place, style: Style) -> Place:
    row = at.row and at.row._replace(file=style.locate(at.row.file))
    return replace(at, file=style.locate(at.file or ""), row=row)


def command_of(report: Report) -> str:
    """The command that the report is about; empty if the command failed early."""
    match report:
        case Plan():
            return "plan"
        case WaitedReport():
            return report.command
        case ApplyReport():
            return "apply"
        case ValidateReport():
            return "validate"
    return ""


def report_summary(report: Report) -> str:
    """The last line of the text format, without its period."""
    match report:
        case Plan():
            text = summary_row(report)
        case WaitedReport():
            before = f"{apply_summary(report)} " if report.command == "apply" else ""
            text = f"{before}Wait: {status_summary(report.statuses)}"
        case ApplyReport():
            text = apply_summary(report)
        case ValidateReport():
            text = validate_summary(report)
        case FailureReport():
            errors = sum(d.severity is Severity.ERROR for d in report.diagnostics)
            text = f"Failed: {errors} error{'' if errors == 1 else 's'}."
    return text.removesuffix(".")


def summary_counts(report: Report) -> Iterator[tuple[str, str, int]]:
    """Word, label and count of each action or result that occurs."""
    if isinstance(report, WaitedReport):
        for state, number in states(report.statuses).items():
            yield state.value, state.value, number
    elif isinstance(report, Plan | ApplyReport):
        for word, number in report.summary().items():
            if number:
                yield word, _LABELS.get(word, word), number


def _planned(plan: Plan, task: PlannedTask, style: Style) -> TaskEntry:
    level, is_new, words = None, task.creates and not task.diff, word_remarks(task.explanation)
    if task.action is Action.UNRESOLVED:
        level = Severity.WARNING
    elif task.action is Action.GONE and not task.creates:
        level = Severity.NOTE
    return TaskEntry(
        org_name=task.ref.org_name,
        key=task.ref.key,
        word=task.action.value,
        label=task.action.value,
        sign=SIGNS[task.action],
        level=level,
        file=style.locate(task.file) if task.file else None,
        line=task.line,
        why=words.note,
        hints=words.hints,
        task_id=task.task_id,
        url=console_url(plan.backend, task.ref.org_name, task.task_id) if task.task_id else None,
        inputs=task.desired.inputs if is_new and task.desired is not None else None,
        diff=task.diff,
        unattended=task.unattended,
        values=task.generated.values if task.generated is not None else {},
    )


def _standing(status: TaskStatus, style: Style) -> TaskEntry:
    """A task that was waited for."""
    sign, level = _STATES.get(status.state, ("x", Severity.ERROR))
    steps = [answer_command(request) for request in open_requests(status)]
    return TaskEntry(
        org_name=status.ref.org_name,
        key=status.ref.key,
        word=status.state.value,
        label=status.state.value,
        sign=sign,
        level=level,
        file=style.locate(status.file) if status.file else None,
        line=None,
        why=status.summary.words,
        hints=tuple(Hint("", step) for step in steps[:1] if step),
        task_id=status.task_id,
        url=status.url,
    )


def _result(task: TaskResult, style: Style) -> TaskEntry:
    words = word_remarks(task.problems or task.warnings)
    return TaskEntry(
        org_name=task.org_name,
        key=task.key,
        word=task.result.value,
        label=_LABELS.get(task.result.value, task.result.value),
        sign=_RESULT_SIGNS[task.result],
        level=_RESULT_LEVELS.get(task.result),
        file=style.locate(task.file) if task.file else None,
        line=task.line,
        why=words.note,
        hints=words.hints,
        task_id=task.task_id,
        url=task.url,
    )
