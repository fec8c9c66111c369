"""The result of an apply for all formats, and with `--wait` the result of the wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from reconciler.app.apply import ApplyWaitReport
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.commands import Commands
from reconciler.messages.remarks import word_remarks
from reconciler.model.remarks import Remark
from reconciler.model.shell import id_word
from reconciler.model.value import replace
from reconciler.render import cells, safe
from reconciler.render.diagnostics import place_of
from reconciler.render.document import Document, budget_part, given, hint_items, json_document
from reconciler.render.plan.tasks import with_words
from reconciler.render.plan.view import plan_task
from reconciler.render.results import StatusesView, result_rows
from reconciler.render.status import status_summary, statuses_part
from reconciler.render.style import Style, listed
from reconciler.render.task_view import LABELS, TaskView, view_of_task
from reconciler.render.values import hint_rows
from reconciler.render.view import ReportView


class ApplyView(ReportView):
    command = "apply"

    def __init__(self, report: ApplyReport) -> None:
        self.report = report
        self.diagnostics = report.diagnostics

    def rows(self, style: Style) -> Iterable[str]:
        return apply_rows(self.report, style)

    def document(self, commands: Commands) -> Document:
        return json_document(
            self.diagnostics,
            commands,
            summary=self.report.summary(),
            **given(budget=budget_part(self.report.budgets)),
            tasks=[_applied_task(task, commands) for task in self.report.tasks],
        )

    def summary(self) -> str:
        return apply_summary(self.report).removesuffix(".")

    def tasks(self, style: Style) -> list[TaskView]:
        return [result_view(task, style) for task in self.report.tasks]


def result_view(task: TaskResult, style: Style) -> TaskView:
    result, words = task.result, word_remarks(task.problems, style.commands)
    view = view_of_task(task, result, result.sign, result.severity, words, style.locate)
    return replace(view, line=task.line)


class ApplyWaitView(StatusesView):
    """The tasks that were waited for, and the other tasks of the apply."""

    command = "apply"

    def __init__(self, report: ApplyWaitReport) -> None:
        super().__init__(report.statuses, report.diagnostics, report.read_at)
        self.report = report

    def rows(self, style: Style) -> Iterable[str]:
        yield from apply_rows(self.report, style)
        if not style.quiet:
            yield ""
            yield from waited_rows(self.report, style)

    def document(self, commands: Commands) -> Document:
        """The document of the apply, with `wait`."""
        wait = {
            "end": self.report.end.value,
            **statuses_part(self.statuses, self.report.read_at, commands),
            **given(
                held=[plan_task(*each) for each in with_words(self.report.held_tasks, commands)]
            ),
        }
        return {**ApplyView(self.report).document(commands), "wait": wait}

    def summary(self) -> str:
        waited = status_summary(self.statuses).removesuffix(".")
        return f"{apply_summary(self.report)} Wait: {waited}"

    def tasks(self, style: Style) -> list[TaskView]:
        waited_for = {status.ref for status in self.statuses}
        rest = [task for task in self.report.tasks if task.ref not in waited_for]
        return [*super().tasks(style), *(result_view(task, style) for task in rest)]


def waited_rows(report: ApplyWaitReport, style: Style) -> Iterator[str]:
    """The table of results, and why tasks are held: `2 held: waiting for the pilot: ...`."""
    yield from result_rows(report.statuses, style, report.read_at, retry=report.retry)
    reasons = Counter(word_remarks(task.explanation).note for task in report.held_tasks)
    listed_first = reasons.most_common(_NAMED)
    rows = [f"{number} held: {safe.line(reason)}" for reason, number in listed_first]
    if rest := reasons.total() - sum(number for _, number in listed_first):
        rows.append(f"{rest:,} more held; taskctl plan shows why")
    for row in rows:
        yield from cells.wrap_words(row, style.width, len(_INDENT)) if style.terminal else [row]


def apply_summary(report: ApplyReport) -> str:
    """`Apply: 3 created, 1 failed.`"""
    return f"Apply: {listed(report.summary().items(), LABELS)}."


_INDENT, _WIDTH = "    ", 96
_NAMED = 3  # listed keys with the same problem, or reasons; the others are counted


def apply_rows(report: ApplyReport, style: Style) -> Iterator[str]:
    """The rows of each task that was not already reported, then the counts. Tasks with the same
    problem may share a row. With `-q`, only tasks that did not succeed."""
    if style.quiet and not report.failed():
        return
    palette = style.palette
    shown = [task for task in report.tasks if not style.quiet or task.result.severity]
    together: dict[tuple[Result, tuple[Remark, ...]], list[str]] = {}
    with_org = len({task.ref.org_name for task in report.tasks}) > 1
    alike = Counter((task.result, task.problems) for task in shown)
    for task in shown:
        same = (task.result, task.problems)
        is_repeated = task.result is Result.UNRESOLVED and alike[same] > _NAMED
        if is_repeated or task.result is Result.NOT_STARTED:
            name = str(task.ref) if with_org else task.ref.key
            together.setdefault(same, []).append(name)
        elif task not in style.reported:
            yield from task_rows(task, style, with_org=with_org)
    for (result, problems), keys in together.items():
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        label = palette.paint(result.color)(LABELS.get(result, result.value))
        yield f"{label} {safe.line(', '.join(keys[:_NAMED]))}{more}"
        yield from _problem_rows(problems, style)
    if shown:
        yield ""
    yield palette.bold(apply_summary(report))


def task_rows(task: TaskResult, style: Style, *, with_org: bool) -> Iterator[str]:
    """`created rotate-iam-keys https://...` (without the address if the name is a hyperlink), and
    below it the problems."""
    palette = style.palette
    name = safe.line(str(task.ref) if with_org else task.ref.key)
    label = palette.paint(task.result.color)(LABELS.get(task.result, task.result.value))
    linked = style.link(name, task.url)
    named = task.url or (f"task ID {task.task_id}" if task.task_id else "")
    where = safe.line(named) if named else place_of(task.file, task.line)
    if linked != name and not style.verbose:
        where = ""  # the name links to it
    yield f"{label} {palette.bold(linked)}  {where}".rstrip()
    if task.replaced:
        yield palette.dim(f"    replaces {safe.line(task.replaced)}")
    left = task.replaced or (task.task_id if task.result is Result.FORGOTTEN else None)
    if left and task.unfinished:
        yield palette.dim("    its former task may still be running; to cancel it:")
        command = f"taskctl cancel {id_word(f'{task.ref.org_name}/{left}')}"
        yield from (f"      {row}" for row in style.commands.completed(command).split("\n"))
    if task.updated:
        yield palette.dim(f"    set: {', '.join(map(safe.line, task.updated))}")
    yield from _problem_rows(task.problems, style)


def _problem_rows(problems: tuple[Remark, ...], style: Style) -> Iterator[str]:
    words = word_remarks(problems, style.commands)
    width = style.width - len(_INDENT) if style.terminal else _WIDTH
    if words.note:
        note = safe.line(words.note)
        rows = cells.wrap_words(note, width) if style.terminal else [note]
        yield from (f"{_INDENT}{row}" for row in rows)
    yield from (f"{_INDENT}{row}" for row in hint_rows(words.hints, replace(style, width=width)))


def _applied_task(task: TaskResult, commands: Commands) -> Document:
    words = word_remarks(task.problems, commands)
    return {
        "key": task.ref.key,
        "orgName": task.ref.org_name,
        "result": task.result.value,
        "taskId": task.task_id,
        "url": task.url,
        "error": words.note or None,
        "file": task.file,
        "line": task.line,
        **given(
            replaced=task.replaced,
            updated=list(task.updated),
            hints=hint_items(words),
        ),
    }
