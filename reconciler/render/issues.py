"""The diagnostics of a report, and the tasks that need attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import Diagnostic, Place, Severity, in_order
from reconciler.model.value import replace
from reconciler.render.style import Locate, Style
from reconciler.render.task_view import TaskView, relative_file
from reconciler.render.view import ReportView


class Issue(NamedTuple):
    """A diagnostic, or a task that needs attention, for formats that list both."""

    rule: str
    level: Severity
    text: str
    at: Place


def issues(
    view: ReportView, style: Style, worded: Callable[[Diagnostic, Commands], str]
) -> Iterator[Issue]:
    """The diagnostics, with the text of `worded`, then the tasks. Nothing is escaped yet."""
    for problem in diagnostics_of(view, style):
        text = worded(problem, style.commands)
        yield Issue(problem.code.value, problem.severity, text, problem.at)
    alike: dict[object, list[TaskView]] = {}
    for task in filter(lambda task: task.level is not None, view.tasks(style)):
        # The tasks of an entry share a line, so the same problem of several is one issue.
        kind = (task.word, task.file, task.line or task.ref, task.text)
        alike.setdefault(kind, []).append(task)
    for first, *more in alike.values():
        at = Place(first.file, first.line, key=first.key, path=(first.ref.org_name, first.key))
        others = f" and {len(more):,} more" if more else ""
        level = first.level or Severity.WARNING
        yield Issue(f"task/{first.word}", level, f"{first.key}{others}: {first.text}", at)


def diagnostics_of(view: ReportView, style: Style) -> list[Diagnostic]:
    """The diagnostics in order, with paths relative to the repository."""
    return [replace(d, at=_relative(d.at, style.locate)) for d in in_order(view.diagnostics)]


def _relative(at: Place, locate: Locate) -> Place:
    row = at.row and replace(at.row, file=locate(at.row.file))
    return replace(at, file=relative_file(at.file, locate), row=row)
