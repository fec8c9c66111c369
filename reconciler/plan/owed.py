"""Cancellations that an apply has to finish: they were asked for and not accepted yet. Pure."""

from __future__ import annotations

from reconciler.model.identity import Identity
from reconciler.model.remarks import remark
from reconciler.model.value import replace
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.state.attempt import Owed
from reconciler.state.model import Record, State


def still_owed(record: Record, state: State) -> tuple[Owed, ...]:
    """The cancellations of a record whose tasks no key has (again)."""
    if not record.owed:
        return ()
    current = {other.task_id for other in state.records.values()}
    return tuple(owed for owed in record.owed if owed.task_id not in current)


def record_of_owed(record: Record, owed: Owed) -> Record:
    """As if the key had the task that is to be cancelled."""
    if owed.task_id == record.task_id:
        return record
    return replace(record, task_id=owed.task_id, identity=owed.creator or owed.identity)


def with_owed(task: PlannedTask, state: State, caller: Identity) -> PlannedTask:
    """The planned task, with what apply still has to cancel for its key. Only the identity that
    asked for a cancellation sends it."""
    record = state.records.get(task.ref if task.record is None else task.record.ref)
    if record is None or not record.owed or task.action is Action.UNRESOLVED:
        return task
    owed = [item for item in _of(task, record, state) if item.task_id]
    if not owed:
        return task
    own = tuple(item.task_id for item in owed if caller.same_as(item.identity))
    others = [item for item in owed if not caller.same_as(item.identity)]
    remarks = [*task.remarks, *((remark("owed.cancel", ids=own),) if own else ())]
    remarks += [remark("owed.other", id=o.task_id, identity=o.identity.name) for o in others]
    if task.action is Action.UNCHANGED and own:
        task = replace(task, action=Action.CHANGED, reason=Reason.OWED)
    return replace(task, owed=own, remarks=tuple(remarks), record=record)


def _of(task: PlannedTask, record: Record, state: State) -> tuple[Owed, ...]:
    """A key whose own task was to be cancelled may have come back to the manifests, or another key
    may have the task: then the cancellation is void. A task that is still listed under `removed` is
    cancelled with it."""
    owed, own_id = still_owed(record, state), record.task_id
    if task.desired is not None or task.action is Action.FORGET:
        return owed
    if sum(other.task_id == own_id for other in state.records.values()) > 1:
        return owed
    return owed + tuple(each for each in record.owed if each.task_id == own_id)
