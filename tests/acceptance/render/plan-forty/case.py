"""Forty similar tasks fit one screen."""

from __future__ import annotations

from reconciler.model.value import replace
from reconciler.plan.plan import Action, Reason
from tests.support.plan_sample import PLAN, desired, task

NAMES = [f"{kind}-{number}" for kind in ("api", "billing", "web", "worker") for number in range(10)]
REPORT = replace(
    PLAN,
    tasks=tuple(
        task(
            f"upgrade-{name}",
            Action.CREATE,
            Reason.NEW,
            file="tasks/upgrades.yaml",
            line=7 + 4 * number,
            desired=desired(
                f"upgrade-{name}",
                f"Upgrade the providers of {name} to their latest major version.\nOpen one pull"
                " request.",
                approvalMode="balanced",
                permissionMode="default",
            ),
        )
        for number, name in enumerate(NAMES)
    ),
)
