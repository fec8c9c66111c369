"""Reports in every format.

All outputs of a command are in one module (`plan/` is a package). Parts of a format that all
reports share are in `formats/`. Modules are imported when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from reconciler.app.apply import ApplyWaitReport
    from reconciler.app.results import ResultsReport
    from reconciler.app.ui import FailureReport
    from reconciler.app.validate import ValidateReport
    from reconciler.app.wait import WaitReport
    from reconciler.apply.report import ApplyReport
    from reconciler.plan.plan import Plan
    from reconciler.render.style import Style
    from reconciler.render.view import ReportView

Report: TypeAlias = (
    "ValidateReport | Plan | ApplyReport | ApplyWaitReport | WaitReport | ResultsReport"
    " | FailureReport"
)
"""The reports that `render` accepts."""

FORMATS = ("text", "json", "markdown", "github", "sarif", "junit", "html")
"""The formats of reports; the module of that name has `render(view, style) -> str`."""

SHARED_FORMATS = ("markdown", "html", "github")
"""The formats for other people, who may not be able to run commands as the user of this run."""

BASIC_FORMATS = ("text", "json")
"""The formats of every command. The others are for reports about tasks."""

TABLE_FORMATS = ("csv",)
"""The formats of reports that have a table."""

KEYS = ("keys",)
"""The format of lists of tasks for scripts."""

ALL_FORMATS = (*FORMATS, *TABLE_FORMATS, *KEYS)

WITHOUT_DIAGNOSTICS = ("text", *TABLE_FORMATS, *KEYS)
"""The formats whose reports do not contain diagnostics, which then go to stderr."""


def render(name: str, report: Report, style: Style) -> str:
    """The whole report; ends with a line feed unless empty. Raises KeyError for an unknown
    format."""
    if name not in ALL_FORMATS:
        raise KeyError(name)
    if name in SHARED_FORMATS:
        from reconciler.model.value import replace

        style = replace(style, commands=style.commands.for_everybody())
    made: str = import_module(f"{__name__}.formats.{name}").render(view_of(report), style)
    return made


VIEWS = {
    "ValidateReport": "validate:ValidateView",
    "Plan": "plan.view:PlanView",
    "ApplyReport": "apply:ApplyView",
    "ApplyWaitReport": "apply:ApplyWaitView",
    "WaitReport": "results:WaitView",
    "ResultsReport": "results:ResultsView",
    "FailureReport": "diagnostics:FailureView",
}
"""The view of each kind of report, by name, so that only the view that is used is imported."""


def view_of(report: Report) -> ReportView:
    """The view of the report's kind."""
    module, _, name = VIEWS[type(report).__name__].partition(":")
    view: ReportView = getattr(import_module(f"{__name__}.{module}"), name)(report)
    return view
