"""Groups of tasks with the same prompt, the same change, different changes, and the same hint."""

from __future__ import annotations

from reconciler.model.remarks import remark
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Change, Origin, Reason
from tests.support.plan_sample import PLAN, desired, task

MODE = Change("approvalMode", "manual", "auto", Origin.MANIFEST)
ONE = [
    task(
        f"audit-{n}",
        Action.CREATE,
        Reason.NEW,
        desired=desired(f"audit-{n}", "Audit this stack.", planMode=True),
    )
    for n in range(4)
]
SAME = [
    task(f"b-{n}", Action.CHANGED, Reason.CHANGED, task_id=f"t-{n}", diff=(MODE,)) for n in range(5)
]
OTHER = [
    task(
        f"c-{n}",
        Action.CHANGED,
        Reason.CHANGED,
        task_id=f"u-{n}",
        diff=(Change("message.content", "a", f"b {n}", Origin.MANIFEST),),
    )
    for n in range(4)
]
GONE = [
    task(
        f"d-{n}",
        Action.GONE,
        Reason.NOT_FOUND,
        task_id=f"v-{n}",
        remarks=(remark("gone.kept", task_id=f"v-{n}", key=f"d-{n}", ref=f"acme/d-{n}"),),
    )
    for n in range(4)
]
LEFT = [
    task(
        f"e-{n}",
        Action.ORPHANED,
        Reason.REMOVED,
        task_id=f"w-{n}",
        line=None,
        remarks=(remark("orphaned", ref=f"acme/e-{n}"),),
    )
    for n in range(4)
]
REPORT = replace(PLAN, tasks=(*ONE, *SAME, *OTHER, *GONE, *LEFT))
