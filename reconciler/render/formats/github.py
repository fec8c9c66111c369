"""Reports as GitHub workflow annotations: one command per line.

GitHub shows ten errors, ten warnings and ten notices per step and drops the rest silently. At most
ten of each are emitted; the last notice counts the rest. Escaping follows GitHub's toolkit: `%` and
line ends, and in properties also `:` and `,`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reconciler.messages import plain_text
from reconciler.model.diagnostics import NOWHERE, Severity
from reconciler.render import safe
from reconciler.render.issues import Issue, issues
from reconciler.render.style import Style, counted
from reconciler.render.view import ReportView

MAX_ANNOTATIONS = 10
"""Annotations of one kind that GitHub shows per step."""

_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(view: ReportView, style: Style) -> str:
    """One line per annotation, errors first."""
    found = list(issues(view, style, plain_text))
    found.sort(key=lambda issue: list(Severity).index(issue.level))
    return "".join(f"{_command(issue)}\n" for issue in _shown(found))


def _shown(listed: list[Issue]) -> Iterator[Issue]:
    """The annotations that GitHub shows, and a notice that counts the rest."""
    counts: Counter[Severity] = Counter()
    for issue in listed:
        counts[issue.level] += issue.number
    most = dict.fromkeys(Severity, MAX_ANNOTATIONS)
    if any(count > MAX_ANNOTATIONS for count in counts.values()):
        most[Severity.NOTE] -= 1
    emitted: Counter[Severity] = Counter()
    for issue in listed:
        if emitted[issue.level] < most[issue.level]:
            emitted[issue.level] += 1
            yield issue
    more = [
        counted(number, _KINDS[level])
        for level in Severity
        if (number := counts[level] - emitted[level]) > 0
    ]
    if more:
        text = f"{(counts - emitted).total():,} more that a step does not show: {', '.join(more)}"
        yield Issue("", Severity.NOTE, text, NOWHERE)


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
