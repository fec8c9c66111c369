"""Reports in every format.

All outputs of a command are in one place: a package (`validate/`, `plan/`, `apply/`, `wait/`,
`results/`, `status/`, `state/`) or a module (`fmt.py`, `show.py`, ...). What reports have in common
in a format is in `formats/`. Modules are imported when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.render.reports import Report, Style
    from reconciler.render.view import ReportView

FORMATS = ("text", "json", "markdown", "github", "sarif", "junit", "html")
"""The formats of reports; the module of that name has `render(view, style) -> str`."""

BASIC_FORMATS = ("text", "json")
"""The formats of every command. The others are for reports about tasks."""


def render(name: str, report: Report, style: Style) -> str:
    """The whole report; ends with a line feed unless empty. KeyError for an unknown format."""
    if name not in FORMATS:
        raise KeyError(name)
    text: str = import_module(f"{__name__}.formats.{name}").render(view_of(report), style)
    return text


def view_of(report: Report) -> ReportView:
    """The view of the report's kind."""
    from reconciler.render.reports import FailureReport, ValidateReport

    if isinstance(report, ValidateReport):
        from reconciler.render.validate.view import ValidateView

        return ValidateView(report)
    if isinstance(report, FailureReport):
        from reconciler.render.failure import FailureView

        return FailureView(report)
    from reconciler.plan.plan import Plan

    if isinstance(report, Plan):
        from reconciler.render.plan.view import PlanView

        return PlanView(report)
    from reconciler.render.wait.report import WaitedReport

    if not isinstance(report, WaitedReport):
        from reconciler.render.apply.view import ApplyView

        return ApplyView(report)
    if report.command == "results":
        from reconciler.render.results.view import ResultsView

        return ResultsView(report)
    if report.command == "apply":
        from reconciler.render.apply.waited import ApplyWaitView

        return ApplyWaitView(report)
    from reconciler.render.wait.view import WaitView

    return WaitView(report)
