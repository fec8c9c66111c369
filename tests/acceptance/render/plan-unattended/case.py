"""Unattended tasks, by the manifest or at the service; read-only tasks are not listed."""

from __future__ import annotations

from reconciler.model.service import RemoteTask
from reconciler.plan.plan import Action, Plan, Reason
from tests.support.plan_sample import desired, task

AUTO = {"approvalMode": "auto"}
TASKS = (
    task(
        "by-manifest", Action.CREATE, Reason.NEW, desired=desired("by-manifest", "Do it.", **AUTO)
    ),
    task(
        "by-service",
        Action.CHANGED,
        Reason.CHANGED,
        desired=desired("by-service", "Do it.", approvalMode="manual"),
        remote=RemoteTask("acme", "t1", AUTO),
    ),
    task("default", Action.CREATE, Reason.NEW, desired=desired("default", "Do it.")),
    task(
        "limited",
        Action.CREATE,
        Reason.NEW,
        desired=desired("limited", "Do it.", permissionMode="read-only", **AUTO),
    ),
    task("now-not", Action.UNCHANGED, Reason.SAME, desired=desired("now-not", "Do it.", **AUTO)),
)
REPORT = Plan("https://api.pulumi.com", (), TASKS)
