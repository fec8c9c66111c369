from __future__ import annotations

from reconciler.model.canonical import ABSENT
from reconciler.model.remarks import remark
from reconciler.model.service import Identity
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Change, Origin, Reason
from tests.support.plan_sample import PLAN, desired, task
from tests.support.plan_strategies import HOSTILE

BAD = "\n".join(HOSTILE)
REPORT = replace(
    PLAN,
    backend=BAD,
    identity=Identity("id", login=BAD, organization=BAD),
    tasks=(
        task(
            "a",
            Action.CREATE,
            Reason.NEW,
            org=BAD,
            file=BAD,
            remarks=(remark("orphaned", ref=BAD), remark("apply.unknown", why=BAD)),
            task_id=BAD,
            desired=desired("a", BAD, [{"type": BAD, BAD: BAD}], name=BAD, **{BAD: [BAD]}),
        ),
        task(
            "b",
            Action.CHANGED,
            Reason.CHANGED,
            diff=(
                Change(BAD, BAD, ABSENT, Origin.BOTH),
                Change("message.content", BAD, BAD.replace("boom", "bang"), Origin.BOTH),
                Change("name", HOSTILE[6], HOSTILE[7], Origin.REMOTE),
            ),
        ),
    ),
)
STYLE = {"verbose": True}
