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
from reconciler.render.entries import TaskEntry, diagnostics_of, entries
from reconciler.render.reports import Report, Style

MOST = 10
"""Annotations of one kind that GitHub shows per step."""

_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


class _Annotation(NamedTuple):
    level: Severity
    message: str
    title: str
    file: str | None
    line: int | None
    column: int | None = None
    stands_for: int = 1


def render(report: Report, style: Style) -> str:
    """One line per annotation, errors first."""
    found = [_of_problem(problem) for problem in diagnostics_of(report, style)]
    found += [_of_task(entry) for entry in entries(report, style) if entry.level is not None]
    found.sort(key=lambda annotation: list(Severity).index(annotation.level))
    return "".join(f"{_command(annotation)}\n" for annotation in _shown(found))


def _shown(found: list[_Annotation]) -> Iterator[_Annotation]:
    """As many as GitHub shows, and one notice that counts the rest."""
    counts: Counter[Severity] = Counter()
    for annotation in found:
        counts[annotation.level] += annotation.stands_for
    most = dict.fromkeys(Severity, MOST)
    if any(count > MOST for count in counts.values()):
        most[Severity.NOTE] -= 1
    given: Counter[Severity] = Counter()
    for annotation in found:
        if given[annotation.level] < most[annotation.level]:
            given[annotation.level] += 1
            yield annotation
    more = [
        f"{counts[level] - given[level]} {_KINDS[level]}{'s' * (counts[level] - given[level] > 1)}"
        for level in Severity
        if counts[level] > given[level]
    ]
    if more:
        left_out = sum(counts.values()) - sum(given.values())
        text = f"{left_out} more that a step does not show: {', '.join(more)}"
        yield _Annotation(Severity.NOTE, text, "taskctl", None, None)


def _of_problem(problem: Diagnostic) -> _Annotation:
    level, text = problem.severity, plain_text(problem)
    stands_for = count([problem], problem.severity)
    place = (problem.file, problem.line, problem.column)
    return _Annotation(level, text, _title(problem.key), *place, stands_for)


def _of_task(entry: TaskEntry) -> _Annotation:
    level = entry.level or Severity.NOTE
    text = f"{entry.key}: " + "\n".join(entry.lines)
    return _Annotation(level, text, _title(entry.key), entry.file, entry.line)


def _title(key: str | None) -> str:
    return "taskctl" if key is None else f"taskctl: {key}"


def _command(annotation: _Annotation) -> str:
    places = {
        "file": annotation.file,
        "line": annotation.line if annotation.file else None,
        "col": annotation.column if annotation.file and annotation.line else None,
        "title": annotation.title,
    }
    given = ",".join(f"{name}={_property(value)}" for name, value in places.items() if value)
    return f"::{_KINDS[annotation.level]} {given}::{_data(annotation.message)}"


def _data(text: str) -> str:
    escaped = safe.block(text).replace("%", "%25")
    return escaped.replace("\r", "%0D").replace("\n", "%0A")


def _property(value: object) -> str:
    return _data(safe.line(str(value))).replace(":", "%3A").replace(",", "%2C")
