from __future__ import annotations

from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.model.remarks import remark
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
            problems=(
                remark("apply.refused", why="entity 'prod' has no project\n::error::x", status=400),
            ),
            file="tasks/cost.yaml",
            line=12,
        ),
        TaskResult(
            TaskRef("acme", "tag-buckets"),
            Result.UNRESOLVED,
            problems=(
                remark("attempt.unresolved", at="2026-11-24 11:59:01 UTC"),
                remark("attempt.other_identity", who="acme-taskctl"),
                remark(
                    "attempt.resolve_other", who="acme-taskctl", ref="acme/tag-buckets", task_id=""
                ),
            ),
            file="tasks/tags.yaml",
            line=3,
        ),
        TaskResult(TaskRef("acme", "later"), Result.NOT_STARTED, file="tasks/tags.yaml", line=9),
    )
)
