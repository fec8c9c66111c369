"""The tasks of a plan, as formats show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from itertools import groupby
from operator import attrgetter

from reconciler.messages.commands import AS_WRITTEN, Commands
from reconciler.messages.remarks import templates, word_remarks
from reconciler.messages.template import Words
from reconciler.model.diagnostics import Severity
from reconciler.model.wire import console_url
from reconciler.plan.plan import Action, Plan, PlannedTask
from reconciler.render import cells, safe
from reconciler.render.style import Locate
from reconciler.render.task_view import LABELS, UNATTENDED, TaskView, relative_file

ORDER = {action: place for place, action in enumerate(Action)}
"""The order of the tasks of a plan."""


class PlannedView(TaskView, frozen=True, kw_only=True):
    """A task of a plan."""

    task: PlannedTask

    @property
    def note(self) -> str:
        """The reason, unless it only repeats the legend."""
        return "" if self.why == meaning(self.task.action) else self.why

    @property
    def values(self) -> Mapping[str, str]:
        """The values that an entry generates the task from."""
        return self.task.generated.values if self.task.generated is not None else {}

    def similarity_key(self) -> list[object]:
        """Equal for tasks that have the same remarks, except for names and values."""
        task = self.task
        paths = {change.path.partition(".")[0].partition("[")[0] for change in task.diff}
        cases = [remark.case for remark in task.remarks]
        return [task.action.value, task.reason.value, cases, sorted(paths)]


def meaning(action: Action) -> str:
    """The meaning of an action, for the legend; empty for `unchanged`."""
    known = templates("remarks").get(f"action.{action}")
    return known.summary if known is not None else ""


def order(task: PlannedTask) -> int:
    return ORDER[task.action]


def with_words(
    tasks: Iterable[PlannedTask], commands: Commands
) -> Iterator[tuple[PlannedTask, Words]]:
    """Each task with its remarks in words. Successive tasks with the same remarks, as often in an
    entry, share the words."""
    for explanation, alike in groupby(tasks, attrgetter("explanation")):
        words = word_remarks(explanation, commands)
        yield from ((task, words) for task in alike)


def planned_views(
    plan: Plan,
    tasks: Iterable[PlannedTask],
    commands: Commands = AS_WRITTEN,
    locate: Locate | None = None,
) -> Iterator[PlannedView]:
    """The views of some tasks of a plan, made one at a time. Without `locate`, they have no URLs:
    the plan as text does not show them."""
    worded = with_words(tasks, commands)
    return (_planned_view(plan, task, words, locate) for task, words in worded)


def _planned_view(
    plan: Plan, task: PlannedTask, words: Words, locate: Locate | None
) -> PlannedView:
    level, url = None, None
    if locate is not None and task.task_id:
        url = console_url(plan.backend, task.ref.org_name, task.task_id)
    is_new = task.may_create or (task.may_follow and plan.options.wait)
    if task.action is Action.UNRESOLVED:
        level = Severity.WARNING
    elif task.action is Action.GONE and not task.creates:
        level = Severity.NOTE
    return PlannedView(
        task=task,
        ref=task.ref,
        word=task.action.value,
        label=LABELS.get(task.action, task.action.value),
        sign=task.action.sign,
        level=level,
        file=relative_file(task.file or None, locate or str),
        line=task.line,
        why=words.note,
        hints=words.hints,
        task_id=task.task_id,
        url=url,
        inputs=task.desired.inputs if is_new and task.desired is not None else None,
        diff=task.diff,
        unattended=task.unattended,
    )


def found_rows(tasks: Iterable[PlannedTask], *, several: bool) -> list[str]:
    """A header, and for each task that was found by its reference, its key, ID, date and creator.
    `several`: keys are shown with their organization."""
    rows = [("key", "task ID", "created", "by")]
    for task in tasks:
        remote = task.found
        if remote is not None:
            made, name = remote.created_at, str(task.ref) if several else task.ref.key
            name += f" [{UNATTENDED}]" * task.unattended
            date = f"{made.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if made is not None else "-"
            rows.append((name, remote.id, date, remote.creator_login or "-"))
    return cells.table_rows([[safe.line(cell) for cell in row] for row in rows])
