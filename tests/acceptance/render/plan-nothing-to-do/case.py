from __future__ import annotations

from reconciler.model.value import replace
from reconciler.plan.plan import Action
from tests.support.plan_sample import PLAN

REPORT = replace(
    PLAN,
    tasks=tuple(t for t in PLAN.tasks if t.action in (Action.CHANGED, Action.ORPHANED)),
)
