"""Checks lists of the service by the tasks that they must show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import NamedTuple

from reconciler.model.diagnostics import RemoteError
from reconciler.model.remarks import Remark, remark
from reconciler.model.remote_task import RemoteTask
from reconciler.model.service import Service
from reconciler.model.task import TaskId
from reconciler.plan.known import is_between, unlisted_ids

_AT_ONCE = 10


class Unlisted(NamedTuple):
    """A known task that the service shows, and that a list lacks. `created_at` is None if it could
    not be read."""

    task_id: str
    created_at: datetime | None = None

    @property
    def why(self) -> Remark:
        """Why the list proves nothing."""
        return remark("list.lacks", task_id=self.task_id)


class KnownTasks:
    """Reads known tasks by ID if a list lacks them: each once, unless that fails."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._read: dict[TaskId, RemoteTask | None] = {}

    def unlisted(
        self,
        org_name: str,
        known: Sequence[str],
        listed: Collection[str],
        pool: Executor,
        *,
        is_whole: bool,
    ) -> Unlisted | None:
        """The first known task (`plan.known`) that contradicts the list of an organization. Only
        404 twice, right after the list, says that the service does not show a task."""
        lacking = unlisted_ids(known, listed, is_whole=is_whole)
        for start in range(0, len(lacking), _AT_ONCE):
            ids = lacking[start : start + _AT_ONCE]
            answers = pool.map(self._task, [TaskId(org_name, task_id) for task_id in ids])
            for task_id, answer in zip(ids, answers, strict=True):
                if isinstance(answer, RemoteTask):
                    return Unlisted(task_id, answer.created_at)
                if answer is not None and not is_between(task_id, known, listed):
                    return Unlisted(task_id)
        return None

    def _task(self, task: TaskId) -> RemoteTask | RemoteError | None:
        if task not in self._read:
            try:
                shown = self._service.get_task(*task) or self._service.get_task(*task)
            except RemoteError as problem:
                return problem.with_traceback(None)
            self._read[task] = shown
        return self._read[task]
