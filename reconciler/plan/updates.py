"""Compares a recorded task with its manifest, and `--update`: patch settings in place. Pure.

A setting has three values: recorded, desired and remote. Only settings that the manifest changed
are patched; what someone changed at the service is never reverted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.model.canonical import ABSENT, digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, warning
from reconciler.model.fields import COMPARED, PATCHED
from reconciler.model.identity import Identity
from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.remote_task import RemoteTask
from reconciler.model.task import DesiredTask
from reconciler.model.value import Value, field
from reconciler.plan.diff import at_service, changes, remote_agrees
from reconciler.plan.plan import Action, Change, Origin, PlannedTask, Reason, plan_for
from reconciler.state.model import Record


class Update(Value, frozen=True):
    """`values` are the settings to record, and to patch unless `agreed`: those the service already
    has. `conflicts` were changed on both sides; `removed` left the manifest."""

    values: Mapping[str, object] = field(default_factory=dict)
    agreed: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def update_of(record: Record, task: DesiredTask, remote: RemoteTask) -> Update:
    """What `--update` may change, given the remote values."""
    values: dict[str, object] = {}
    agreed, conflicts, removed = [], [], []
    for name in PATCHED:
        before, desired = (side.get(name, ABSENT) for side in (record.inputs, task.inputs))
        if desired == before:
            continue
        present = at_service(name, remote) if name in COMPARED else ABSENT
        if desired is ABSENT:
            removed.append(name)
        elif present == desired:
            values[name] = desired
            agreed.append(name)
        elif name in record.pending or ABSENT in (before, present) or present == before:
            values[name] = desired
        else:
            conflicts.append(name)
    return Update(values, tuple(agreed), tuple(conflicts), tuple(removed))


def compare_recorded(
    task: DesiredTask,
    record: Record,
    remote: RemoteTask | None,
    identity: Identity,
    *,
    update: bool,
) -> PlannedTask:
    """A recorded task, which may move to another key, and its manifest. `update`: patch what can be
    changed in place."""
    # Comparing equal values is far quicker than computing a digest.
    equal = record.inputs == task.inputs or record.digest == digest(task.inputs)
    differs = not equal or (remote is not None and not remote_agrees(task.inputs, remote))
    if not (differs or record.pending or record.ref.key != task.key):
        return plan_for(task, Action.UNCHANGED, Reason.SAME, record=record, remote=remote)
    diff = changes(record.inputs, task.inputs, remote) if differs else ()
    found = Update()
    if not equal and remote is not None and identity.same_as(record.identity):
        found = update_of(record, task, remote)
    known: dict[str, Any] = {"record": record, "remote": remote, "diff": diff}
    updates = update and bool(found.values)
    if updates:
        known |= {"update": found.values, "agreed": found.agreed}
    if record.ref.key != task.key:
        explanation = [remark("moved.from", old=record.ref.key)]
        explanation += _what_update_does(found, diff) if updates else ()
        return plan_for(
            task, Action.MOVE, Reason.MOVED, *explanation, moved_from=record.ref, **known
        )
    if updates:
        explanation = [*_what_update_does(found, diff), *_only_by_a_new_task(task, diff)]
        return plan_for(task, Action.UPDATE, Reason.IN_PLACE, *explanation, **known)
    if record.pending:
        unfinished = remark("unfinished.settings", names=tuple(sorted(record.pending)))
        return plan_for(task, Action.CHANGED, Reason.UNFINISHED, unfinished, **known)
    if diff:
        explanation = [*_what_update_would_do(found), *_only_by_a_new_task(task, diff)]
        return plan_for(task, Action.CHANGED, Reason.DIFFERS, *explanation, **known)
    return plan_for(task, Action.UNCHANGED, Reason.SAME, **known)


def warnings(tasks: Iterable[PlannedTask], identity: Identity) -> Iterator[Diagnostic]:
    """What `--update` does not change although it could be changed in place."""
    for task in tasks:
        desired, record, remote = task.desired, task.record, task.remote
        if task.action not in (Action.UPDATE, Action.CHANGED, Action.MOVE) or not task.diff:
            continue
        if desired is None or record is None or remote is None:
            continue
        found = update_of(record, desired, remote)
        if not identity.same_as(record.identity):
            if found.values or found.conflicts:
                names = (*found.values, *found.conflicts)
                yield _warning(task, "foreign", names=names, maker=record.identity.name)
            continue
        for name in found.conflicts:
            yield _conflict(task, name)
        if found.removed:
            yield _warning(task, "removed", names=found.removed, ref=str(task.ref))


def _what_update_does(found: Update, diff: tuple[Change, ...]) -> Iterator[Remark]:
    if patched := tuple(name for name in found.values if name not in found.agreed):
        yield remark("update.set", names=patched)
    if found.agreed:
        yield remark("update.agreed", names=found.agreed)
    left = (c.path for c in diff if c.path not in found.values and c.origin is not Origin.REMOTE)
    if rest := tuple(left):
        yield remark("update.rest", names=rest)


def _what_update_would_do(found: Update) -> Iterator[Remark]:
    """The remarks without `--update`; the warnings with it say more."""
    if found.conflicts:
        yield remark("update.conflict", names=found.conflicts)
    if found.removed:
        yield remark("update.removed", names=found.removed)
    if found.values:
        yield remark("update.possible", names=tuple(found.values))


def _only_by_a_new_task(task: DesiredTask, diff: tuple[Change, ...]) -> Iterator[Remark]:
    """Not for a setting that merely left the manifest: that is not worth another agent run."""
    fixed = tuple(change.path for change in diff if change.path not in PATCHED)
    if fixed and task.task_id is None:
        yield remark("update.only_new", names=fixed, key=task.key)


def _conflict(task: PlannedTask, name: str) -> Diagnostic:
    change = next((change for change in task.diff if change.path == name), None)
    theirs = _shown(change.before) if change is not None else "another value"
    ours = _shown(change.after) if change is not None else "another one"
    return _warning(task, "both", name=name, theirs=theirs, ours=ours)


def _warning(task: PlannedTask, case: str, **facts: Arg) -> Diagnostic:
    at = Place(task.file, task.line, key=task.ref.key)
    return warning(Code.NOT_UPDATED, case, at=at, key=task.ref.key, **facts)


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
