from __future__ import annotations

from tests.support.plan_sample import PLAN

REPORT = PLAN
STYLE = {"verbose": True}
