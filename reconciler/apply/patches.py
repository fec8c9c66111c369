"""What is changed at the service without a create: settings of a task that exists."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from reconciler.apply import records
from reconciler.apply.context import ApplyContext
from reconciler.messages import wording
from reconciler.model.absent import ABSENT
from reconciler.model.errors import RemoteError, StateError
from reconciler.model.fields import COMPARED
from reconciler.model.remarks import Remark, remark
from reconciler.model.task import RemoteTask
from reconciler.plan.diff import at_service
from reconciler.plan.plan import PlannedTask
from reconciler.state.model import Record, Recorded
from reconciler.tasks.delivery import Delivery, Refusal, delivery_error


class Patches:
    """Changes settings, within the slots of the executor. Each is durable in the log once it is
    done, never before."""

    def __init__(self, ctx: ApplyContext, slots: AbstractContextManager[None]) -> None:
        self._ctx = ctx
        self._slots = slots

    def finish(self, record: Record) -> tuple[Remark, ...]:
        """Sets what a create cannot carry. What could not be done, if anything."""
        try:
            self._patch(record, record.pending)
            self._ctx.log.append(Recorded(replace(record, pending={})))
        except (RemoteError, StateError) as failed:
            names = tuple(sorted(record.pending))
            return (remark("patch.unfinished", names=names, why=str(failed)),)
        return ()

    def update(
        self, task: PlannedTask, record: Record
    ) -> tuple[tuple[str, ...], tuple[Remark, ...]]:
        """What the plan says is to be changed in place. The settings that are so now, and why the
        others are not."""
        desired = {**record.pending, **task.update}
        patch = {name: value for name, value in desired.items() if name not in task.agreed}
        try:
            shown = self._patch(record, patch) if patch else task.remote
        except RemoteError as failed:
            return (), (self._why(record, failed),)
        ignored = sorted(
            name for name in patch if shown is not None and _differs(name, desired, shown)
        )
        done = {name: value for name, value in desired.items() if name not in ignored}
        if done:
            self._ctx.log.append(Recorded(records.updated(record, done, shown, self._ctx)))
        if not ignored:
            return tuple(sorted(done)), ()
        return tuple(sorted(done)), (remark("patch.ignored", names=tuple(ignored)),)

    def _patch(self, record: Record, values: Mapping[str, object]) -> RemoteTask:
        with self._slots:
            self._ctx.log.check_held()
            return self._ctx.service.patch_task(record.ref.org_name, record.task_id, dict(values))

    def _why(self, record: Record, failed: RemoteError) -> Remark:
        """The service says 404 for a task that is gone and for one of somebody else's alike."""
        told = Delivery(record.ref, "the change", record.identity, self._ctx.identity)
        mine = told.caller.same_as(told.creator)
        if failed.status not in (403, 404) or (mine and failed.status == 403):
            return remark("patch.failed", why=str(failed))
        said = delivery_error(Refusal(failed.status, str(failed)), told)
        return remark("patch.failed", why=wording(said).summary)


def _differs(name: str, desired: Mapping[str, object], shown: RemoteTask) -> bool:
    """Whether the service shows another value than it was told; names it trims."""
    value = desired[name]
    present = at_service(name, shown) if name in COMPARED else ABSENT
    if isinstance(value, str) and isinstance(present, str):
        return present.strip() != value.strip()
    return present is not ABSENT and bool(present != value)
