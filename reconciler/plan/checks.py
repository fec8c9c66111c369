"""Checks of a whole plan: too many creates, and two tasks for one key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error, warning
from reconciler.model.wire import console_url
from reconciler.plan.plan import PlannedTask
from reconciler.state.model import State


def too_many_creates(
    tasks: Sequence[PlannedTask], limit: int | None, *, whole_run: bool
) -> Iterator[Diagnostic]:
    """An error where more tasks would be created than --max-creates or maxCreates allow. With
    `whole_run`, as `apply --wait` has it, those that are held count, too."""
    count = sum(1 for task in tasks if task.creates or (whole_run and task.may_follow))
    if limit is not None and count > limit:
        yield error(Code.TOO_MANY_CREATES, count=count, limit=limit)


def duplicates(state: State, tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each redundant task that an apply has found (`apply/duplicates.py`)."""
    for task in tasks:
        record = state.records.get(task.ref)
        if record is None:
            continue
        for extra in record.duplicates:
            ids = (record.task_id, extra)
            links = (console_url(state.backend, task.ref.org_name, task_id) for task_id in ids)
            yield warning(
                Code.DUPLICATE_REMOTE_TASK,
                at=Place(task.file, key=task.ref.key),
                ref=str(task.ref),
                ids=ids,
                links=tuple(link for link in links if link),
                extra=extra,
            )
