"""`inbox`: the open requests of all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.tasks.status import OpenRequest, all_requests


def inbox(ctx: Context, selectors: Sequence[str]) -> tuple[tuple[OpenRequest, ...], datetime]:
    """The open requests of the selected tasks, the oldest first, and the service's time.
    TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    return all_requests(tasks.statuses(refs)), ctx.now()
