"""The result of an apply as text."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.remarks import word_remarks
from reconciler.model.remarks import Remark
from reconciler.model.value import replace
from reconciler.render import safe
from reconciler.render.apply.summary import apply_summary
from reconciler.render.diagnostics import place_of
from reconciler.render.style import Style
from reconciler.render.task_view import LABELS
from reconciler.render.values import hint_rows

_COLUMNS = 96
_NAMED = 3  # keys of tasks that were not started; the others are counted
_FAILURES = (Result.FAILED, Result.UNRESOLVED, Result.NOT_STARTED)


def apply_rows(report: ApplyReport, style: Style) -> Iterator[str]:
    """At least one row per task, then the counts; with `-q`, only tasks that did not succeed."""
    if style.quiet and not report.failed():
        return
    palette = style.palette
    shown = [task for task in report.tasks if not style.quiet or task.result in _FAILURES]
    for task in shown:
        if task.result is not Result.NOT_STARTED:
            yield from _result_rows(task, style)
    not_started: dict[tuple[Remark, ...], list[str]] = {}
    for task in shown:
        if task.result is Result.NOT_STARTED:
            not_started.setdefault(task.problems, []).append(task.key)
    for problems, keys in not_started.items():
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        yield f"{palette.dim('not started')} {safe.line(', '.join(keys[:_NAMED]))}{more}"
        yield from _problem_rows(problems, style)
    if shown:
        yield ""
    yield palette.bold(apply_summary(report))


def _result_rows(task: TaskResult, style: Style) -> Iterator[str]:
    """`created rotate-iam-keys https://...` (without the address if the key is a hyperlink),
    followed by what went wrong."""
    palette = style.palette
    label = palette.of(task.result)(LABELS.get(task.result, task.result.value))
    key = safe.line(task.key)
    linked = style.link(key, task.url)
    named = task.url or (f"taskID {task.task_id}" if task.task_id else "")
    where = safe.line(named) if named else place_of(task.file, task.line)
    if linked != key and not style.verbose:
        where = ""  # one click away
    yield f"{label} {palette.bold(linked)}  {where}".rstrip()
    if task.replaced:
        end = ", which was cancelled" if task.cancelled else ""
        yield palette.dim(f"    replaces {safe.line(task.replaced)}{end}")
    if task.result is Result.FORGOTTEN and task.cancelled:
        yield palette.dim("    task cancelled")
    if task.updated:
        yield palette.dim(f"    set: {', '.join(map(safe.line, task.updated))}")
    yield from _problem_rows(task.problems, style)


def _problem_rows(problems: tuple[Remark, ...], style: Style) -> Iterator[str]:
    words = word_remarks(problems)
    if words.note:
        yield f"    {safe.line(words.note)}"
    yield from (f"    {row}" for row in hint_rows(words.hints, replace(style, width=_COLUMNS)))
