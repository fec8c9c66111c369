"""What a plan says beside its tasks: too many creates, and two tasks for one key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error, warning
from reconciler.model.task import TaskRef
from reconciler.model.wire import console_url
from reconciler.plan.plan import PlannedTask
from reconciler.state.model import State


def too_many_creates(tasks: Iterable[PlannedTask], limit: int | None) -> Iterator[Diagnostic]:
    """An error where more tasks would be created than --max-creates or maxCreates allow."""
    count = sum(1 for task in tasks if task.creates)
    if limit is not None and count > limit:
        yield error(Code.TOO_MANY_CREATES, count=count, limit=limit)


def duplicates(state: State, tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each key that has two tasks, as an apply has found (`apply/duplicates.py`)."""
    for task in tasks:
        record = state.records.get(task.ref)
        if record is not None and record.duplicates:
            yield _duplicate(state, task.ref, sorted({record.task_id, *record.duplicates}))


def _duplicate(state: State, ref: TaskRef, ids: list[str]) -> Diagnostic:
    record = state.records.get(ref)
    lines = [console_url(state.backend, ref.org_name, task_id) or task_id for task_id in ids]
    extra = [task_id for task_id in ids if record is None or task_id != record.task_id]
    lines.append("Look at them, and end the one that is too many:")
    lines += [
        f"  curl -X POST -H 'Authorization: token '\"$PULUMI_ACCESS_TOKEN\" -H 'Content-Type: "
        f"application/json' -d '{{\"force\": true}}' "
        f"{state.backend}/api/preview/agents/{ref.org_name}/tasks/{task_id}/cancel"
        for task_id in extra
    ]
    return warning(
        Code.DUPLICATE_REMOTE_TASK,
        at=Place(record.file if record is not None else None, key=ref.key),
        key=ref.key,
        ids=tuple(ids),
        lines="\n".join(lines),
    )
