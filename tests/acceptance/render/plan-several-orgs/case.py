from __future__ import annotations

from reconciler.model.service import Identity
from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from tests.support.plan_sample import PLAN, SAME, TASKS

REPORT = replace(
    PLAN,
    identity=Identity("user-9", organization="acme", team="platform"),
    tasks=(*TASKS[1:3], replace(TASKS[1], ref=TaskRef("zeta", "upgrade-eks")), SAME),
)
