from __future__ import annotations

from reconciler.model.task import TaskRef
from reconciler.model.value import replace
from tests.support.plan_sample import PLAN, UNSEEN

REPORT = replace(
    PLAN, tasks=tuple(replace(UNSEEN, ref=TaskRef("acme", f"key-{n}")) for n in range(40))
)
