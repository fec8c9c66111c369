from __future__ import annotations

from reconciler.model.value import replace
from tests.support.plan_sample import PLAN, SAME

REPORT = replace(PLAN, tasks=(SAME,) * 7)
