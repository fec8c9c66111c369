"""An organization's list of tasks, with checks: an odd list proves nothing absent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconciler.model import wire
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.service import TaskPage
from reconciler.remote.pagination import ReadPage, pages_ahead

QUERY = {"sortBy": "created", "sortDirection": "desc"}
"""The default order changes while the list is read."""


def task_pages(read: ReadPage, org_name: str, where: str) -> Iterator[TaskPage]:
    """The pages of a list requested with QUERY. Raises RemoteError."""
    order = _Order()
    for entries in pages_ahead(read, where):
        tasks, problem = [], None
        for entry in entries:
            task = wire.remote_task(org_name, entry)
            if task is not None and wire.REDACTED in task.id:
                task = None
            if task is not None:
                tasks.append(task)
            if task is None or task.created_at is None:
                problem = problem or _problem("entry", where)
            elif not order.follows(task.id, task.created_at):
                problem = problem or _problem("order", where)
        yield TaskPage(tuple(tasks), problem)


def _problem(case: str, where: str) -> Diagnostic:
    return error(Code.UNREADABLE_LIST, case, where=where)


class _Order:
    """Newest first. Entries may repeat, because new tasks move others to a later page."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._last: datetime | None = None

    def follows(self, task_id: str, created: datetime) -> bool:
        if task_id in self._seen:
            return True
        self._seen.add(task_id)
        before, self._last = self._last, created
        return before is None or created <= before
