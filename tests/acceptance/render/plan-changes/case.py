from __future__ import annotations

from dataclasses import replace

from reconciler.plan.plan import Action, Change, Origin, Reason
from tests.support.plan_sample import PLAN, task

MODE = Change("approvalMode", "manual", "auto", Origin.MANIFEST)
PROMPT = Change("message.content", "Review it.", "Review all of it.", Origin.MANIFEST)

REPORT = replace(
    PLAN,
    tasks=(
        task(
            "cost-review",
            Action.UPDATE,
            Reason.IN_PLACE,
            task_id="t-1111",
            diff=(MODE, PROMPT),
            update={"approvalMode": "auto"},
            note="apply sets approvalMode in place; the rest (message.content) is left as it is",
            remedy="taskctl apply --replace cost-review   # creates a new task",
        ),
        task(
            "rotate-iam-keys",
            Action.REPLACE,
            Reason.ASKED,
            task_id="t-2222",
            diff=(PROMPT,),
            note="apply creates a new task in the place of t-2222, which is then cancelled",
        ),
    ),
)
