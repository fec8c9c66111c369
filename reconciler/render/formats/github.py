"""Reports as GitHub workflow annotations: one command per line.

GitHub shows ten errors, ten warnings and ten notices per step; the log has all. Escaping follows
GitHub's toolkit: `%` and line ends, and in properties also `:` and `,`.
"""

from __future__ import annotations

from reconciler.messages import plain_text
from reconciler.model.diagnostics import Severity
from reconciler.render import safe
from reconciler.render.issues import Issue, issues
from reconciler.render.style import Style
from reconciler.render.view import ReportView

_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(view: ReportView, style: Style) -> str:
    """One line per annotation, errors first."""
    found = list(issues(view, style, plain_text))
    found.sort(key=lambda issue: list(Severity).index(issue.level))
    return "".join(f"{_command(issue)}\n" for issue in found)


def _command(issue: Issue) -> str:
    at = issue.at
    properties = {
        "file": at.file,
        "line": at.line if at.file else None,
        "col": at.column if at.file and at.line else None,
        "title": "taskctl" if at.key is None else f"taskctl: {at.key}",
    }
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{_KINDS[issue.level]} {listed}::{_data(issue.text)}"


def _data(text: str) -> str:
    escaped = safe.block(text).replace("%", "%25")
    return escaped.replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _data(safe.line(str(value))).replace(":", "%3A").replace(",", "%2C")
