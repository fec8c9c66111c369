"""Compares a recorded task with its manifest, and implements `--update`. Pure.

A setting that differs is set at the service, no matter who changed it. A setting that is no longer
declared keeps its value at the service; only the record changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.model.canonical import ABSENT, digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, warning
from reconciler.model.fields import CAREFUL, DEFAULTS
from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.task import DesiredTask
from reconciler.model.value import Value, field, replace
from reconciler.plan.diff import Differences, differences, remote_agrees
from reconciler.plan.plan import Action, Change, Origin, PlannedTask, Reason
from reconciler.plan.planned import plan_for
from reconciler.state.model import Record


class Update(Value, frozen=True):
    """The effect of `--update` on the differences of a task: `patch` are the settings to set;
    `agreed` and `undeclared` are only recorded: for `agreed`, the service has the desired value;
    `undeclared` are no longer in the manifest. `fixed` are the fields that only a new task can
    have."""

    patch: Mapping[str, object] = field(default_factory=dict)
    agreed: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Differences) -> Update:
        return cls(
            patch={change.path: change.after for change in found.changes if change.in_place},
            agreed=found.agreed,
            undeclared=tuple(c.path for c in found.changes if c.is_undeclared),
            fixed=tuple(c.path for c in found.changes if c.is_fixed),
        )

    @property
    def recorded(self) -> tuple[str, ...]:
        """The settings that are only recorded."""
        return (*self.agreed, *self.undeclared)


def compare_recorded(
    task: DesiredTask,
    record: Record,
    remote: RemoteTask | None,
    identity: Identity,
    *,
    update: bool,
    as_entry: bool = True,
) -> PlannedTask:
    """A recorded task, which may move to another key, and its manifest. `update`: change settings
    that can be changed in place, which only the creator of a task can. `as_entry`: suggest commands
    for all tasks of its entry."""
    # Comparing equal values is much faster than computing a digest.
    equal = record.inputs == task.inputs or record.digest == digest(task.inputs)
    differs = not equal or (remote is not None and not remote_agrees(record, task.inputs, remote))
    if not (differs or record.pending or record.ref.key != task.key):
        return plan_for(task, Action.UNCHANGED, Reason.SAME, record=record, remote=remote)
    found = differences(record, task.inputs, remote) if differs else Differences()
    possible = Update.of(found)
    by_others = _by_its_creator(possible, record, identity)
    if remote is None or not identity.same_as(record.identity):
        possible = Update(fixed=possible.fixed)
    planned = plan_for(
        task, Action.UNCHANGED, Reason.SAME, record=record, remote=remote, diff=found.changes
    )
    only_new = _only_by_a_new_task(task, record, found, as_entry=as_entry)
    updates = update and bool(possible.patch or possible.recorded)
    if updates:
        planned = replace(planned, patch=possible.patch, only_recorded=possible.recorded)
    if record.ref.key != task.key:
        does = _what_update_does(possible) if updates else ()
        remarks = (remark("moved.from", old=record.ref.key), *does)
        planned = replace(planned, action=Action.MOVE, reason=Reason.MOVED, moved_from=record.ref)
    elif updates:
        remarks = tuple(_what_update_does(possible)) + only_new
        planned = replace(planned, action=Action.UPDATE, reason=Reason.IN_PLACE)
    elif record.pending and remote is not None and identity.same_as(record.identity):
        remarks = (remark("unfinished.settings", names=tuple(sorted(record.pending))),)
        planned = replace(planned, action=Action.CHANGED, reason=Reason.UNFINISHED)
    elif found.changes:
        remarks = (*_what_update_would_do(possible), *by_others, *only_new)
        planned = replace(planned, action=Action.CHANGED, reason=Reason.CHANGED)
    else:
        return planned
    return replace(planned, remarks=remarks)


def foreign(tasks: Iterable[PlannedTask], identity: Identity) -> Iterator[Diagnostic]:
    """A warning for each task that `--update` cannot change, because another user created it."""
    for task in tasks:
        record = task.record
        if record is None or identity.same_as(record.identity):
            continue
        if names := tuple(change.path for change in task.diff if change.in_place):
            yield _warning(task, Code.NOT_UPDATED, names=names, maker=record.identity.name)


def less_restricted(task: PlannedTask) -> tuple[Change, ...]:
    """The differences because of which an agent has fewer restrictions than its manifest declares,
    and which apply does not change."""
    if task.action not in (Action.CHANGED, Action.UPDATE, Action.MOVE):
        return ()
    return tuple(c for c in task.diff if c.path not in task.patch and _is_less_restricted(c))


def _is_less_restricted(change: Change) -> bool:
    order, now = CAREFUL.get(change.path, ()), _at_service(change)
    return now in order and change.after in order and order.index(now) < order.index(change.after)


def _at_service(change: Change) -> Any:
    return DEFAULTS.get(change.path) if change.before is ABSENT else change.before


def restriction_warning(task: PlannedTask, identity: Identity) -> Diagnostic:
    """A warning about an unfinished task for which `less_restricted` has found something."""
    settings = tuple(f"{change.path}={_at_service(change)}" for change in less_restricted(task))
    if task.record is None or identity.same_as(task.record.identity):
        return _warning(task, Code.LESS_CAREFUL, settings=settings)
    maker = task.record.identity.name
    return _warning(task, Code.LESS_CAREFUL, "foreign", settings=settings, maker=maker)


def _what_update_does(update: Update) -> Iterator[Remark]:
    if update.patch:
        yield remark("update.set", names=tuple(update.patch))
    if update.agreed:
        yield remark("update.agreed", names=update.agreed)
    if update.undeclared:
        yield remark("update.undeclared", names=update.undeclared)
    if update.fixed:
        yield remark("update.rest", names=update.fixed)


def _what_update_would_do(update: Update) -> Iterator[Remark]:
    if update.patch:
        yield remark("update.possible", names=tuple(update.patch))
    if update.undeclared:
        yield remark("update.removed", names=update.undeclared)


def _by_its_creator(update: Update, record: Record, identity: Identity) -> tuple[Remark, ...]:
    if not update.patch or identity.same_as(record.identity):
        return ()
    return (remark("update.foreign", names=tuple(update.patch), maker=record.identity.name),)


def _only_by_a_new_task(
    task: DesiredTask, record: Record, found: Differences, *, as_entry: bool
) -> tuple[Remark, ...]:
    fixed = tuple(change for change in found.changes if change.is_fixed)
    if not fixed or task.task_id is not None:
        return ()
    entry = task.entry if as_entry else None
    pattern = str(task.ref if entry is None else f"{entry}@*")
    is_edited = any(change.origin is not Origin.REMOTE for change in fixed)
    request = pattern if is_edited else f"{task.ref}={record.task_id}"
    accept = remark("update.accept", names=tuple(c.path for c in fixed), pattern=pattern)
    return accept, remark("update.only_new", request=request)


def _warning(task: PlannedTask, code: Code, case: str = "", **facts: Arg) -> Diagnostic:
    at = Place(task.file, task.line, key=task.ref.key)
    return warning(code, case, at=at, key=task.ref.key, **facts)
