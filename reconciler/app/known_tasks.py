"""Reads tasks by their IDs, and checks that lists of the service show the tasks that they must
show."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor

from reconciler.model.diagnostics import RemoteError
from reconciler.model.kept import Kept
from reconciler.model.service import RemoteTask, Service
from reconciler.model.task import TaskId
from reconciler.plan.needs import is_between, unlisted_ids

_AT_ONCE = 10


class TasksById:
    """Reads tasks of one organization concurrently; their size is counted in `kept`. `refused` are
    the tasks that the service does not let this user read: they are neither found nor absent."""

    def __init__(self, service: Service, org_name: str, pool: Executor, kept: Kept) -> None:
        self._service, self._org_name, self._pool, self._kept = service, org_name, pool, kept
        self.refused: set[str] = set()

    def get(self, ids: Collection[str]) -> dict[TaskId, RemoteTask]:
        """The tasks that the service shows now. Raises RemoteError, also if it refuses both a task
        and the list."""
        known = len(self.refused)
        found = list(self._pool.map(self._get, sorted(ids)))
        if len(self.refused) > known:
            next(self._service.list_tasks(self._org_name), None)
        return {TaskId(task.org_name, task.id): task for task in found if task is not None}

    def get_absent(self, ids: Collection[str], *, is_listed: bool) -> dict[TaskId, RemoteTask]:
        """Reads once more the tasks that `get` has not found. Those that it does not return are
        absent: that takes two 404s while the list responds (`is_listed`: the list has been read
        before). Raises RemoteError."""
        if ids and not is_listed:
            next(self._service.list_tasks(self._org_name), None)
        return self.get({*ids} - self.refused)

    def _get(self, task_id: str) -> RemoteTask | None:
        try:
            task = self._service.get_task(self._org_name, task_id)
        except RemoteError as problem:
            if not problem.is_refusal:
                raise
            self.refused.add(task_id)
            return None
        if task is not None:
            self._kept.keep(task.raw)
        return task


class KnownTasks:
    """Reads known tasks by ID if a list lacks them: each once, unless that fails."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._read: dict[TaskId, RemoteTask | None] = {}

    def contradiction(
        self,
        org_name: str,
        known: Sequence[str],
        listed: Collection[str],
        pool: Executor,
        *,
        is_whole: bool,
    ) -> str | None:
        """The ID of the first known task (`plan/needs.py`) that the list of an organization lacks,
        although the service shows it. Only 404 twice, right after the list, means that the service
        does not show a task."""
        lacking = unlisted_ids(known, listed, is_whole=is_whole)
        for start in range(0, len(lacking), _AT_ONCE):
            ids = lacking[start : start + _AT_ONCE]
            answers = pool.map(self._task, [TaskId(org_name, task_id) for task_id in ids])
            for task_id, answer in zip(ids, answers, strict=True):
                if isinstance(answer, RemoteTask):
                    return task_id
                if answer is not None and not is_between(task_id, known, listed):
                    return task_id
        return None

    def _task(self, task: TaskId) -> RemoteTask | RemoteError | None:
        if task not in self._read:
            try:
                shown = self._service.get_task(*task) or self._service.get_task(*task)
            except RemoteError as problem:
                return problem.with_traceback(None)
            self._read[task] = shown
        return self._read[task]
