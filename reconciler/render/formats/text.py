"""Reports as text."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.diagnostics import Severity, count
from reconciler.render import safe
from reconciler.render.reports import FailureReport, Report, Style, ValidateReport


def render(report: Report, style: Style) -> str:
    """The text, with diagnostics only if `style` asks for them."""
    text = "".join(f"{row}\n" for row in _rows(report, style))
    if style.diagnostics and report.diagnostics:
        from reconciler.render.diagnostics import render_all

        text = render_all(report.diagnostics, style) + ("\n" if text else "") + text
    return safe.without_commands(text)


def _rows(report: Report, style: Style) -> Iterable[str]:
    """Imports only the module of the report's kind, to keep `validate` fast."""
    if isinstance(report, FailureReport):
        return ()
    if isinstance(report, ValidateReport):
        return () if style.quiet else (validate_summary(report),)
    from reconciler.apply.report import ApplyReport

    if isinstance(report, ApplyReport):
        from reconciler.render.apply.text import apply_rows, waited_rows
        from reconciler.render.wait.report import WaitedReport

        if isinstance(report, WaitedReport):
            return waited_rows(report, style)
        return apply_rows(report, style)
    from reconciler.render.plan.text import plan_rows

    return plan_rows(report, style)


def validate_summary(report: ValidateReport) -> str:
    """`9 tasks in 6 files: valid.`, or `3 errors, 1 warning in 6 files.`"""
    files = counted(report.files, "file")
    errors = count(report.diagnostics, Severity.ERROR)
    warnings = count(report.diagnostics, Severity.WARNING)
    odd = f", {counted(warnings, 'warning')}" if warnings else ""
    if errors:
        return f"{counted(errors, 'error')}{odd} in {files}."
    return f"{counted(report.tasks, 'task')} in {files}: valid{odd}."


def counted(number: int, word: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
