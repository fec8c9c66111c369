from __future__ import annotations

from reconciler.model.value import replace
from reconciler.plan.plan import Action, Reason
from tests.support.plan_sample import PLAN, desired, task

REPORT = replace(
    PLAN,
    tasks=(
        task(
            "old-incident",
            Action.GONE,
            Reason.RECREATE,
            task_id="t-3333",
            desired=desired("old-incident", "Follow up on the incident.", planMode=False),
        ),
    ),
)
