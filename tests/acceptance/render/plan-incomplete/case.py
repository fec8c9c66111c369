from __future__ import annotations

from reconciler.model.value import replace
from reconciler.plan.plan import Action, Reason
from tests.support.plan_sample import PLAN, task

REPORT = replace(
    PLAN,
    complete=False,
    tasks=(task("rotate-iam-keys", Action.UNRESOLVED, Reason.UNREADABLE),),
)
