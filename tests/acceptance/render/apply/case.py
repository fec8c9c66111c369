from __future__ import annotations

from reconciler.apply.report import ApplyReport, Result, TaskResult

LINK = "https://app.pulumi.com/acme/neo/tasks/"
REPORT = ApplyReport(
    (
        TaskResult("rotate-iam-keys", "acme", Result.CREATED, "t-1", LINK + "t-1"),
        TaskResult("drift-report", "acme", Result.ADOPTED, "t-2", LINK + "t-2"),
        TaskResult("narrow-iam", "acme", Result.MOVED, "t-3", LINK + "t-3"),
        TaskResult(
            "cost-review",
            "acme",
            Result.FAILED,
            error="the service refused it (400): entity 'prod' has no project\n::error::x",
            file="tasks/cost.yaml",
            line=12,
        ),
        TaskResult(
            "tag-buckets",
            "acme",
            Result.UNDECIDED,
            error="the answer was lost",
            remedy="taskctl state settle acme/tag-buckets --not-created",
            file="tasks/tags.yaml",
            line=3,
        ),
        TaskResult("later", "acme", Result.NOT_STARTED, file="tasks/tags.yaml", line=9),
    )
)
