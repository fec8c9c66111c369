"""The diagnostics of a report, and with them the tasks that someone should look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from reconciler.model.diagnostics import Diagnostic, Place, Severity, count, in_order
from reconciler.model.value import replace
from reconciler.render.style import Locate, Style
from reconciler.render.task_view import relative_file
from reconciler.render.view import ReportView


class Issue(NamedTuple):
    """A diagnostic, or a task that someone should look at, for formats that list both. `number` is
    how many problems it stands for."""

    rule: str
    level: Severity
    text: str
    at: Place
    number: int = 1


def issues(view: ReportView, style: Style, worded: Callable[[Diagnostic], str]) -> Iterator[Issue]:
    """The diagnostics, with the text of `worded`, then the tasks. Nothing is escaped yet."""
    for problem in diagnostics_of(view, style):
        number = count([problem], problem.severity)
        yield Issue(problem.code.value, problem.severity, worded(problem), problem.at, number)
    for task in view.tasks(style.locate):
        if task.level is not None:
            path = (task.ref.org_name, task.key)
            at = Place(task.file, task.line, key=task.key, path=path)
            yield Issue(f"task/{task.word}", task.level, f"{task.key}: {task.text}", at)


def diagnostics_of(view: ReportView, style: Style) -> list[Diagnostic]:
    """The diagnostics in order, with paths relative to the repository."""
    return [replace(d, at=_relative(d.at, style.locate)) for d in in_order(view.diagnostics)]


def _relative(at: Place, locate: Locate) -> Place:
    row = at.row and replace(at.row, file=locate(at.row.file))
    return replace(at, file=relative_file(at.file, locate), row=row)
