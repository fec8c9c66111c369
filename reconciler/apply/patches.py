"""Changes settings of existing tasks at the service."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager

from reconciler.apply import records
from reconciler.apply.context import ApplyContext
from reconciler.model.canonical import ABSENT
from reconciler.model.diagnostics import RemoteError, StateError
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import RemoteTask
from reconciler.model.value import replace
from reconciler.plan.diff import at_service, is_same_setting
from reconciler.plan.plan import PlannedTask
from reconciler.state.model import Record, Recorded
from reconciler.tasks.delivery import Refusal, delivery_error


class TaskPatcher:
    """Patches tasks within the slots of the executor. A change is recorded once it is made, never
    before."""

    def __init__(self, ctx: ApplyContext, slots: AbstractContextManager[None]) -> None:
        self._ctx = ctx
        self._slots = slots

    def finish(self, record: Record) -> tuple[Remark, ...]:
        """Sets what a create cannot carry. Returns what failed."""
        try:
            self._patch(record, record.pending)
            self._ctx.session.append(Recorded(replace(record, pending={})))
        except (RemoteError, StateError) as failed:
            names = tuple(sorted(record.pending))
            return (remark("patch.unfinished", names=names, why=failed.causes),)
        return ()

    def update(
        self, task: PlannedTask, record: Record
    ) -> tuple[tuple[str, ...], tuple[Remark, ...]]:
        """Makes the planned changes. Returns the settings that were set, and why others were
        not."""
        patch = {**record.pending, **task.patch}
        patch = {name: value for name, value in patch.items() if name not in task.only_recorded}
        try:
            remote = self._patch(record, patch) if patch else task.remote
        except RemoteError as failed:
            return (), (self._why(record, failed),)
        except StateError as failed:
            return (), (remark("patch.failed", why=failed.causes),)
        ignored = tuple(
            n for n in sorted(patch) if remote is not None and _differs(n, patch, remote)
        )
        declared = task.desired.inputs if task.desired is not None else {}
        done = {name: value for name, value in patch.items() if name not in ignored}
        recorded = {name: declared.get(name, ABSENT) for name in task.only_recorded}
        problems = (remark("patch.ignored", names=ignored),) if ignored else ()
        if done or recorded:
            updated = records.updated_record(record, done | recorded, remote, self._ctx)
            try:
                self._ctx.session.append(Recorded(updated))
            except StateError as failed:  # the next plan finds what was made
                problems = (*problems, remark("apply.state", why=failed.causes))
        return tuple(sorted(done)), problems

    def _patch(self, record: Record, values: Mapping[str, object]) -> RemoteTask:
        with self._slots:
            self._ctx.session.check_held()
            return self._ctx.service.patch_task(record.ref.org_name, record.task_id, dict(values))

    def _why(self, record: Record, failed: RemoteError) -> Remark:
        """The service returns 404 both for a task that is gone and for one of another identity."""
        caller = self._ctx.identity
        mine = caller.same_as(record.identity)
        if failed.status not in (403, 404) or (mine and failed.status == 403):
            return remark("patch.failed", why=failed.causes)
        refusal = Refusal(failed.status, failed.causes)
        why = delivery_error(refusal, record, caller, "the change").cause
        return remark("patch.failed", why=why)


def _differs(name: str, values: Mapping[str, object], shown: RemoteTask) -> bool:
    """Whether the service returns another value than it was sent."""
    present = at_service(name, shown)
    return present is not ABSENT and not is_same_setting(values[name], present)
