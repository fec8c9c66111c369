"""What a plan says beside its tasks: too many creates, and two tasks for one key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.model.diagnostics import Diagnostic, error, warning
from reconciler.model.task import TaskRef, instant
from reconciler.model.wire import console_url
from reconciler.plan.plan import PlannedTask
from reconciler.plan.view import RemoteView, TaskId
from reconciler.state.model import State


def too_many_creates(tasks: Iterable[PlannedTask], limit: int | None) -> Iterator[Diagnostic]:
    """An error where more tasks would be created than --max-creates or maxCreates allow."""
    count = sum(1 for task in tasks if task.creates)
    if limit is not None and count > limit:
        yield error(
            f"{count} tasks would be created, and at most {limit} may be",
            f"Nothing was sent. If this is meant, allow it:\n  taskctl apply --max-creates {count}",
        )


def duplicates(state: State, view: RemoteView) -> Iterator[Diagnostic]:
    """A warning for each key whose attempts' marks are borne by two tasks at the service."""
    if not view.messages:
        return
    owners = {moment: ref for ref, mark in _marks(state) if (moment := instant(mark)) is not None}
    bearers: dict[TaskRef, set[str]] = {}
    for task_id, message in view.messages.items():
        ref = owners.get(message.instant) if message and message.instant else None
        if ref is not None and ref.org_name == task_id.org_name and not _was(state, ref, task_id):
            bearers.setdefault(ref, set()).add(task_id.id)
    for ref, ids in sorted(bearers.items()):
        record = state.records.get(ref)
        if record is not None:
            ids.add(record.task_id)
        if len(ids) > 1:
            yield _duplicate(state, ref, sorted(ids))


def _was(state: State, ref: TaskRef, task_id: TaskId) -> bool:
    """Whether the key had this task before another took its place: that there are two is meant."""
    record = state.records.get(ref)
    return record is not None and task_id.id in record.former


def _marks(state: State) -> Iterator[tuple[TaskRef, str]]:
    for ref, record in state.records.items():
        for mark in record.marks:
            yield ref, mark
    for attempt in state.attempts.values():
        yield attempt.ref, attempt.mark


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
        f"{ref.key}: {len(ids)} tasks at the service were made for this key: {', '.join(ids)}",
        "\n".join(lines),
        file=record.file if record is not None else None,
        key=ref.key,
    )
