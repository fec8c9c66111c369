"""A rollout under way: the pilot runs, the rest waits for it, and a later entry has stopped."""

from __future__ import annotations

from reconciler.model.remarks import remark
from reconciler.model.task import TaskRef
from reconciler.plan.plan import Action, Reason
from tests.support.entry_sample import ROWS, as_planned, generated, plan_of


def held(row, position, entry, reason, *ahead):
    refs = tuple(TaskRef("acme", key) for key in ahead[::3])
    said = remark(f"held.{reason}", ahead=ahead, more=0)
    task = generated(row | {"repo.branch": "main"}, position, entry=entry)
    return as_planned(task, Action.HELD, reason, remarks=(said,), waits_for=refs)


def done(row, position, entry):
    task = generated(row | {"repo.branch": "main"}, position, entry=entry)
    return as_planned(task, Action.UNCHANGED, Reason.SAME, task_id=f"id-{position}")


PILOT = ("upgrade@api-0", "running", "720", "upgrade@api-1", "waiting", "7260")
FAILED = ("rotate@api-0", "failed", "")
REPORT = plan_of(
    [
        *(done(row, at, "upgrade") for at, row in enumerate(ROWS[:2])),
        *(held(row, at + 2, "upgrade", Reason.PILOT, *PILOT) for at, row in enumerate(ROWS[2:])),
        done(ROWS[0], 0, "rotate"),
        *(held(r, at + 1, "rotate", Reason.STOPPED, *FAILED) for at, r in enumerate(ROWS[1:5])),
    ]
)
