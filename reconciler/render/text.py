"""Reports as text, for a person."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.diagnostics import Severity
from reconciler.plan.plan import Plan
from reconciler.render import safe
from reconciler.render.diagnostics import place_of, render_all
from reconciler.render.palette import Palette
from reconciler.render.plan_text import plan_rows
from reconciler.render.reports import FailureReport, Report, Style, ValidateReport

_WORDS = {Result.NOT_STARTED: "not started"}


def render(report: Report, style: Style) -> str:
    """The text, without its diagnostics where `style` says that they are shown elsewhere."""
    rows = list(_rows(report, style))
    text = "".join(f"{row}\n" for row in rows)
    if style.diagnostics and report.diagnostics:
        text = render_all(report.diagnostics, style) + ("\n" if text else "") + text
    return safe.without_commands(text)


def _rows(report: Report, style: Style) -> Iterator[str]:
    match report:
        case Plan():
            yield from plan_rows(report, style)
        case ApplyReport():
            for task in report.tasks:
                if not style.quiet:
                    yield from result_rows(task, Palette(style.color))
            if report.tasks and not style.quiet:
                yield ""
            yield Palette(style.color).bold(apply_summary(report))
        case ValidateReport():
            if not style.quiet:
                yield validate_summary(report)
        case FailureReport():
            return


def result_rows(task: TaskResult, palette: Palette) -> Iterator[str]:
    """`created rotate-iam-keys  https://...`; what went wrong below it."""
    word = _WORDS.get(task.result, task.result.value)
    paint = {
        Result.CREATED: palette.green,
        Result.ADOPTED: palette.cyan,
        Result.MOVED: palette.cyan,
        Result.FAILED: palette.red,
        Result.UNDECIDED: palette.magenta,
    }.get(task.result, palette.dim)
    where = safe.line(task.url) if task.url else place_of(task.file, task.line)
    yield f"{paint(word)} {palette.bold(safe.line(task.key))}  {where}".rstrip()
    if task.error:
        yield from (f"    {row}" for row in safe.block(task.error).split("\n") if row)
    if task.remedy:
        yield from (f"      {palette.cyan(safe.line(row))}" for row in task.remedy.split("\n"))


def apply_summary(report: ApplyReport) -> str:
    """`Apply: 3 created, ...`; moved ones are counted where there are any."""
    counts = report.summary()
    shown = [
        f"{counts[result]} {_WORDS.get(result, result.value)}"
        for result in Result
        if counts[result] or result is not Result.MOVED
    ]
    return f"Apply: {', '.join(shown)}."


def validate_summary(report: ValidateReport) -> str:
    """`9 tasks in 6 files: valid.`, or `3 errors, 1 warning in 6 files.`"""
    files = _count(report.files, "file")
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    odd = f", {_count(warnings, 'warning')}" if warnings else ""
    if errors:
        return f"{_count(errors, 'error')}{odd} in {files}."
    return f"{_count(report.tasks, 'task')} in {files}: valid{odd}."


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
