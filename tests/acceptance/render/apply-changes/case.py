from __future__ import annotations

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.task import TaskRef

REPORT = ApplyReport(
    (
        TaskResult(
            TaskRef("acme", "cost-review"),
            Result.UPDATED,
            "t-1111",
            "https://app.pulumi.com/acme/neo/tasks/t-1111",
            updated=("approvalMode", "name"),
        ),
        TaskResult(
            TaskRef("acme", "rotate-iam-keys"),
            Result.REPLACED,
            "t-3333",
            "https://app.pulumi.com/acme/neo/tasks/t-3333",
            replaced="t-2222",
            unfinished=True,
        ),
        TaskResult(TaskRef("acme", "old-audit"), Result.FORGOTTEN, "t-4444", unfinished=True),
        TaskResult(TaskRef("acme", "old-report"), Result.FORGOTTEN, "t-5555"),
    )
)
