"""The duplicates that a state lists: whether they are over, and the warnings about the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from reconciler.app.context import Context
from reconciler.app.named_tasks import record_of_duplicate
from reconciler.model.diagnostics import Diagnostic, TaskctlError
from reconciler.model.task_state import TaskState
from reconciler.plan.duplicates import duplicate_warning
from reconciler.state.attempt import Duplicate
from reconciler.state.model import Record, State

_OVER = frozenset(
    {TaskState.DONE, TaskState.FAILED, TaskState.STOPPED, TaskState.CANCELLED, TaskState.GONE}
)


class ListedDuplicates(NamedTuple):
    """`over` are the IDs of those that have finished, or are gone for the identity that sent them;
    `running` are all others."""

    running: tuple[Duplicate, ...] = ()
    over: frozenset[str] = frozenset()

    def warnings(
        self, state: State, adopted: Collection[str | None] = ()
    ) -> tuple[Diagnostic, ...]:
        """A warning for each that is running, unless a key gets it now."""
        left = (duplicate for duplicate in self.running if duplicate.task_id not in adopted)
        return tuple(duplicate_warning(duplicate, state) for duplicate in left)


def read_duplicates(ctx: Context, state: State) -> ListedDuplicates:
    """A duplicate that cannot be read may still be running."""
    if not state.duplicates:
        return ListedDuplicates()
    listed = sorted(state.duplicates.values(), key=lambda d: (d.ref, d.task_id))
    states = _states(ctx, [record_of_duplicate(duplicate) for duplicate in listed])
    gone = [d for d in listed if states.get(d.task_id) is TaskState.GONE]
    if gone:  # 404 twice, while the list responds
        states |= dict.fromkeys((d.task_id for d in gone), TaskState.NOT_VISIBLE)
        states |= _states(ctx, [record_of_duplicate(duplicate) for duplicate in gone], again=True)
    over = frozenset(task_id for task_id, found in states.items() if found in _OVER)
    return ListedDuplicates(tuple(d for d in listed if d.task_id not in over), over)


def _states(
    ctx: Context, records: Sequence[Record], *, again: bool = False
) -> dict[str, TaskState]:
    """The states by task ID, without those that cannot be read. `again`: only while the lists of
    their organizations respond."""
    try:
        for org_name in {record.ref.org_name for record in records} if again else ():
            next(ctx.client.list_tasks(org_name), None)
        found = ctx.reader.statuses(records, ctx.connection.parallelism)
    except TaskctlError:
        apart = ([record] for record in records) if len(records) > 1 else ()
        return {
            task_id: state
            for one in apart
            for task_id, state in _states(ctx, one, again=again).items()
        }
    return {status.task_id: status.state for status in found if status.task_id}
