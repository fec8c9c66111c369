"""The result of an apply as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.messages.remarks import word_remarks
from reconciler.render import safe
from reconciler.render.diagnostics import place_of
from reconciler.render.reports import Palette, Style
from reconciler.render.status import status_rows
from reconciler.render.values import hint_rows
from reconciler.render.wait import WaitedReport

_COLUMNS = 96
_NAMED = 3  # keys of tasks that were not started; the others are counted
_WELL = (
    Result.CREATED,
    Result.REPLACED,
    Result.ADOPTED,
    Result.MOVED,
    Result.UPDATED,
    Result.FORGOTTEN,
)
_RARE = (Result.REPLACED, Result.MOVED, Result.UPDATED, Result.FORGOTTEN)
_WORDS = {Result.NOT_STARTED: "not started"}


def apply_rows(report: ApplyReport, style: Style) -> Iterator[str]:
    """At least one row per task, then the counts; with `-q`, only tasks that did not succeed."""
    if style.quiet and not report.failed():
        return
    palette = style.palette
    shown = [task for task in report.tasks if not style.quiet or task.result not in _WELL]
    for task in shown:
        if task.result is not Result.NOT_STARTED:
            yield from result_rows(task, palette)
    if left := [task.key for task in shown if task.result is Result.NOT_STARTED]:
        more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
        yield f"{palette.dim('not started')} {safe.line(', '.join(left[:_NAMED]))}{more}"
    if shown:
        yield ""
    yield palette.bold(apply_summary(report))


def waited_rows(report: WaitedReport, style: Style) -> Iterator[str]:
    """What apply did (for `apply --wait`), and the status of the tasks."""
    if report.command == "apply":
        yield from apply_rows(report, style)
        yield ""
    if not style.quiet:
        yield from status_rows(report.statuses, style, report.read_at)
        yield from held_rows(report)


def held_rows(report: WaitedReport) -> Iterator[str]:
    """`2 held: waiting for the pilot: ...`, for each reason."""
    whys = Counter(word_remarks(task.explanation).note for task in report.held)
    for why, number in whys.items():
        yield f"{number} held: {safe.line(why)}"


def result_rows(task: TaskResult, palette: Palette) -> Iterator[str]:
    """`created rotate-iam-keys https://...`, followed by what went wrong."""
    label = _WORDS.get(task.result, task.result.value)
    paint = {
        Result.CREATED: palette.green,
        Result.REPLACED: palette.green,
        Result.ADOPTED: palette.cyan,
        Result.UPDATED: palette.yellow,
        Result.MOVED: palette.cyan,
        Result.FORGOTTEN: palette.cyan,
        Result.FAILED: palette.red,
        Result.UNRESOLVED: palette.magenta,
    }.get(task.result, palette.dim)
    named = task.url or (f"taskID {task.task_id}" if task.task_id else "")
    where = safe.line(named) if named else place_of(task.file, task.line)
    yield f"{paint(label)} {palette.bold(safe.line(task.key))}  {where}".rstrip()
    if task.replaced:
        yield palette.dim(f"    in the place of {safe.line(task.replaced)}")
    if task.updated:
        yield palette.dim(f"    set: {', '.join(map(safe.line, task.updated))}")
    problems = word_remarks(task.problems)
    if problems.note:
        yield f"    {safe.line(problems.note)}"
    yield from (f"    {row}" for row in hint_rows(problems.hints, _COLUMNS, palette))


def apply_summary(report: ApplyReport, label: str = "Apply") -> str:
    """`Apply: 3 created, ...`; rare results are listed only if there are any."""
    counts = report.summary()
    shown = [
        f"{counts[result]} {_WORDS.get(result, result.value)}"
        for result in Result
        if counts[result] or result not in _RARE
    ]
    return f"{label}: {', '.join(shown)}."
