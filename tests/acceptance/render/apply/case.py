from __future__ import annotations

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.task import TaskRef

LINK = "https://app.pulumi.com/acme/neo/tasks/"
REPORT = ApplyReport(
    (
        TaskResult(TaskRef("acme", "rotate-iam-keys"), Result.CREATED, "t-1", LINK + "t-1"),
        TaskResult(TaskRef("acme", "drift-report"), Result.ADOPTED, "t-2", LINK + "t-2"),
        TaskResult(TaskRef("acme", "narrow-iam"), Result.MOVED, "t-3", LINK + "t-3"),
        TaskResult(
            TaskRef("acme", "cost-review"),
            Result.FAILED,
            error="the service refused it (400): entity 'prod' has no project\n::error::x",
            file="tasks/cost.yaml",
            line=12,
        ),
        TaskResult(
            TaskRef("acme", "tag-buckets"),
            Result.UNRESOLVED,
            error="the answer was lost",
            remedy="taskctl state settle acme/tag-buckets --not-created",
            file="tasks/tags.yaml",
            line=3,
        ),
        TaskResult(TaskRef("acme", "later"), Result.NOT_STARTED, file="tasks/tags.yaml", line=9),
    )
)
