"""A plan with one task of each action."""

from __future__ import annotations

from typing import Any

from reconciler.model.canonical import ABSENT
from reconciler.model.remarks import remark
from reconciler.model.service import Identity
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.plan import Action, Change, Origin, Plan, PlannedTask, Reason

PROMPT = """\
Rotate every IAM access key older than 90 days in the production accounts of the acme \
organization, and do it without breaking what uses them.

For each key:
1. Find the workloads that use it (CloudTrail, the last 30 days).
2. Create the new key, store it in the secret store, roll the workloads.
3. Deactivate the old key; delete it after a week.

Open one pull request per repository. Never touch break-glass users.

Report what you did as a table: user, key id, age, workloads, pull request.
If a key is used by something that you cannot roll, say so and stop there.
Keep the report short.
Name what you did not do.
"""
BEFORE = """\
Review last month's bill of every production account.
Group it by team and service, compare it with the three months before, and report whatever \
rose by more than 10 percent.

Ignore savings plans.
Post the report to #finops.
Keep it short.
"""
AFTER = """\
Review last month's bill of every production account.
Group it by team and service, compare it with the six months before, and report whatever \
rose by more than 10 percent.

Ignore savings plans and reserved instances.
Mention each anomaly with its likely cause.
Post the report to #finops.
Keep it short.
"""


def task(key: str, action: Action, reason: Reason, **more: Any) -> PlannedTask:
    place = {"file": "tasks/iam.yaml", "line": 7}
    return PlannedTask(TaskRef(more.pop("org", "acme"), key), action, reason, **{**place, **more})


def desired(key: str, prompt: str, entities: list[Any] | None = None, **inputs: Any) -> DesiredTask:
    message: dict[str, Any] = {"content": prompt}
    if entities:
        message["entity_diff"] = {"add": entities}
    return DesiredTask(key, "acme", {"message": message, **inputs}, "tasks/iam.yaml", 7, 3)


ROTATE = task(
    "rotate-iam-keys",
    Action.CREATE,
    Reason.NEW,
    desired=desired(
        "rotate-iam-keys",
        PROMPT,
        [
            {"type": "stack", "name": "prod", "project": "network"},
            {"type": "repository", "name": "infra", "org": "acme", "forge": "github"},
        ],
        name="Rotate IAM keys",
        approvalMode="balanced",
        permissionMode="default",
        planMode=True,
        enabledIntegrations=[{"id": "datadog"}],
        cliIntegrations=[
            {"catalogId": "aws", "name": "prod"},
            {"catalogId": "aws", "name": "staging"},
            {"catalogId": "gcp", "name": "analytics-eu"},
        ],
        isShared=True,
    ),
)
COST = task(
    "cost-review",
    Action.CHANGED,
    Reason.CHANGED,
    file="tasks/cost.yaml",
    line=12,
    task_id="t-2222",
    diff=(
        Change("approvalMode", "manual", "auto", Origin.REMOTE),
        Change("enabledIntegrations[1]", ABSENT, {"id": "pagerduty"}, Origin.MANIFEST),
        Change("message.content", BEFORE, AFTER, Origin.MANIFEST),
        Change("name", "Cost", "Cost review", Origin.BOTH),
        Change("role", "r-1", ABSENT, Origin.MANIFEST),
    ),
)
DRIFT = "https://app.pulumi.com/acme/neo/tasks/t-8f3a"
SAME = task("same", Action.UNCHANGED, Reason.SAME, task_id="t-5555")
UNSEEN = task(
    "not-visible",
    Action.UNCHANGED,
    Reason.NOT_VISIBLE,
    task_id="t-6666",
    remarks=(remark("notVisible.to", maker="ada", caller="ci-bot"),),
)
TASKS = (
    ROTATE,
    task(
        "upgrade-eks",
        Action.CREATE,
        Reason.RETRY,
        file="tasks/upgrades.yaml",
        line=3,
        remarks=(remark("attempt.none", at="2026-11-24 11:50:00 UTC"),),
        desired=desired("upgrade-eks", "Upgrade the EKS clusters.", approvalMode="auto"),
    ),
    task(
        "drift-report",
        Action.ADOPT,
        Reason.REFERENCE,
        task_id="t-8f3a",
        remarks=(
            remark("reference.found"),
            remark("adopt.named", name="Weekly drift report", task_id="t-8f3a", url=DRIFT),
            remark("adopt.date_by", date="2026-11-22", login="ada"),
        ),
    ),
    task(
        "narrow-iam",
        Action.MOVE,
        Reason.MOVED,
        task_id="t-1111",
        moved_from=TaskRef("acme", "narrow-policies"),
        remarks=(remark("moved.from", old="narrow-policies"),),
    ),
    COST,
    task(
        "old-incident",
        Action.GONE,
        Reason.NOT_FOUND,
        task_id="t-3333",
        remarks=(
            remark("gone.kept", task_id="t-3333", key="old-incident", ref="acme/old-incident"),
        ),
    ),
    task(
        "clean-prs",
        Action.ORPHANED,
        Reason.REMOVED,
        line=None,
        task_id="t-4444",
        remarks=(remark("orphaned", ref="acme/clean-prs"),),
    ),
    SAME,
    UNSEEN,
    task(
        "tag-buckets",
        Action.UNRESOLVED,
        Reason.SETTLING,
        remarks=(remark("attempt.settling", at="2026-11-24 11:59:01 UTC", seconds=42),),
    ),
)
PLAN = Plan(
    "https://api.pulumi.com",
    ("tasks",),
    tuple(sorted(TASKS, key=lambda task: task.ref)),
    identity=Identity("user-1", login="ada"),
)
