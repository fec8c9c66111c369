"""Reports as GitHub workflow annotations: one command per line.

GitHub shows ten errors, ten warnings and ten notices per step and drops the rest silently. At most
ten of each are emitted; the last notice counts the rest. Escaping follows GitHub's toolkit: `%` and
line ends, and in properties also `:` and `,`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from reconciler.messages import plain_text
from reconciler.model.diagnostics import Diagnostic, Severity, count
from reconciler.render import safe
from reconciler.render.reports import Report, Style
from reconciler.render.views import diagnostics_of, task_views

MOST = 10
"""Annotations of one kind that GitHub shows per step."""

_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


class _Annotation(NamedTuple):
    level: Severity
    message: str
    key: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    number: int = 1


def render(report: Report, style: Style) -> str:
    """One line per annotation, errors first."""
    found = [_of_diagnostic(problem) for problem in diagnostics_of(report, style)]
    found += [
        _Annotation(view.level, view.finding, view.key, view.file, view.line)
        for view in task_views(report, style.locate)
        if view.level is not None
    ]
    found.sort(key=lambda annotation: list(Severity).index(annotation.level))
    return "".join(f"{_command(annotation)}\n" for annotation in _shown(found))


def _shown(found: list[_Annotation]) -> Iterator[_Annotation]:
    """As many as GitHub shows, and one notice that counts the rest."""
    counts: Counter[Severity] = Counter()
    for annotation in found:
        counts[annotation.level] += annotation.number
    most = dict.fromkeys(Severity, MOST)
    if any(count > MOST for count in counts.values()):
        most[Severity.NOTE] -= 1
    shown: Counter[Severity] = Counter()
    for annotation in found:
        if shown[annotation.level] < most[annotation.level]:
            shown[annotation.level] += 1
            yield annotation
    more = [
        f"{number} {_KINDS[level]}{'s' * (number > 1)}"
        for level in Severity
        if (number := counts[level] - shown[level]) > 0
    ]
    if more:
        text = f"{(counts - shown).total()} more that a step does not show: {', '.join(more)}"
        yield _Annotation(Severity.NOTE, text)


def _of_diagnostic(problem: Diagnostic) -> _Annotation:
    at, number = problem.at, count([problem], problem.severity)
    place = (at.file, at.line, at.column)
    return _Annotation(problem.severity, plain_text(problem), at.key, *place, number)


def _command(annotation: _Annotation) -> str:
    key, file, line = annotation.key, annotation.file, annotation.line
    properties = {
        "file": file,
        "line": line if file else None,
        "col": annotation.column if file and line else None,
        "title": "taskctl" if key is None else f"taskctl: {key}",
    }
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{_KINDS[annotation.level]} {listed}::{_data(annotation.message)}"


def _data(text: str) -> str:
    escaped = safe.block(text).replace("%", "%25")
    return escaped.replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _data(safe.line(str(value))).replace(":", "%3A").replace(",", "%2C")
