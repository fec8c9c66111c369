from __future__ import annotations

from reconciler.model.remarks import remark
from reconciler.model.value import replace
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
            patch={"approvalMode": "auto"},
            remarks=(
                remark("update.set", names=("approvalMode",)),
                remark("update.rest", names=("message.content",)),
                remark("update.accept", names=("message.content",), pattern="acme/cost-review"),
                remark("update.only_new", request="acme/cost-review"),
            ),
        ),
        task(
            "rotate-iam-keys",
            Action.REPLACE,
            Reason.ASKED,
            task_id="t-2222",
            diff=(PROMPT,),
            remarks=(remark("replace.keep"),),
        ),
    ),
)
