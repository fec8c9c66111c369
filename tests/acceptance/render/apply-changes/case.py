from __future__ import annotations

from reconciler.apply.report import ApplyReport, Result, TaskResult

REPORT = ApplyReport(
    (
        TaskResult(
            "cost-review",
            "acme",
            Result.UPDATED,
            "t-1111",
            "https://app.pulumi.com/acme/neo/tasks/t-1111",
            updated=("approvalMode", "name"),
        ),
        TaskResult(
            "rotate-iam-keys",
            "acme",
            Result.REPLACED,
            "t-3333",
            "https://app.pulumi.com/acme/neo/tasks/t-3333",
            replaced="t-2222",
        ),
    )
)
