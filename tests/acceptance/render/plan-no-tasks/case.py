from __future__ import annotations

from reconciler.model.value import replace
from tests.support.plan_sample import PLAN

REPORT = replace(PLAN, tasks=(), identity=None, backend="local")
