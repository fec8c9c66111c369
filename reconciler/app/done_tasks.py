"""The statuses of tasks with a cache that others may read and write, as in CI.

It contains no text: for each task that was done, a digest of its outputs and of what is expected of
it. The events of a task are not read again while both are the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model import limits
from reconciler.model.canonical import digest
from reconciler.model.task import TaskId, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.remote.cache import TaskCache
from reconciler.tasks.status import TaskStatus, by_state


def statuses_without_texts(tasks: RecordedTasks, refs: Sequence[TaskRef]) -> tuple[TaskStatus, ...]:
    """As `RecordedTasks.statuses`, but without the last event of a task that was done before.
    RemoteError."""
    ctx, reader = tasks.ctx, tasks.ctx.fresh_reader
    who, most = ctx.client.identity(), limits.DONE_TASKS
    cache = TaskCache(ctx.caches, "done", ctx.service, who, str, most=most)
    records = {
        TaskId(record.ref.org_name, record.task_id): record for record in tasks.records(refs)
    }
    outputs = reader.outputs(records, ctx.connection.parallelism)
    digests = {
        task: digest([raw, tasks.expectations.digest_of(records[task])])
        for task, raw in outputs.items()
    }
    done = {records[task].ref: task for task, value in digests.items() if cache.get(task) == value}
    read = tasks.statuses([ref for ref in refs if ref not in done], reader)
    for status in read:
        task = TaskId(status.ref.org_name, status.task_id or "")
        if status.state is TaskState.DONE and task in digests:
            cache.put(task, digests[task])
    cache.save()
    cached = (
        reader.status_of(records[task], TaskState.DONE, outputs[task]) for task in done.values()
    )
    return by_state([*read, *cached])
