"""The service as one user sees it, read by taskctl's own survey."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Self, cast
from unittest.mock import patch

from reconciler.app import survey
from reconciler.model.clock import Clocks
from reconciler.model.service import FirstMessage, Identity, RemoteTask, TaskPage
from reconciler.plan.lookup import Lookup
from reconciler.plan.view import RemoteView
from tests.model.world import GONE, LISTED, ME, SOMEONE, Setting, Task
from tests.support import plan_values
from tests.support.plan_values import NOW, ORG

BOOT = 1000.0
CLOCKS = Clocks(NOW, BOOT)
IDENTITIES = {ME: plan_values.ME, SOMEONE: plan_values.SOMEONE}


def is_visible(task: Task, who: str, setting: Setting) -> bool:
    return task.age != GONE and (setting.shared or task.maker == who)


def listed_ids(tasks: Sequence[Task], who: str, setting: Setting) -> tuple[str, ...]:
    """The listed tasks, newest first."""
    return tuple(
        task.id for task in reversed(tasks) if task.age == LISTED and is_visible(task, who, setting)
    )


def message(task: Task, setting: Setting) -> FirstMessage:
    """The visible tasks."""
    text = task.prompt
    if not setting.assumed.shows_mark_or_text:
        text = f"Summary: {text}"
    match setting.marks:
        case "kept":
            return FirstMessage(task.mark, text)
        case "cut off":
            return FirstMessage(f"{task.mark[:19]}Z", text)
        case "replaced":
            return FirstMessage("2026-11-24T12:30:00.5Z", text)


class Service:
    """Shows a user all visible tasks by ID, also those that the list does not show yet. `lacking`:
    those that the list does not show although it should."""

    def __init__(
        self, tasks: Sequence[Task], who: str, setting: Setting, lacking: Collection[str] = ()
    ) -> None:
        self._setting = setting
        self._tasks = {task.id: task for task in tasks if is_visible(task, who, setting)}
        self._listed = [i for i in listed_ids(tasks, who, setting) if i not in lacking]

    def list_tasks(self, _: str) -> Iterator[TaskPage]:
        yield TaskPage(tuple(map(self._remote, self._listed)))

    def get_task(self, _: str, task_id: str) -> RemoteTask | None:
        return self._remote(task_id) if task_id in self._tasks else None

    def first_message(self, _: str, task_id: str) -> FirstMessage | None:
        return message(self._tasks[task_id], self._setting)

    def ignored_date(self) -> None:
        return None

    def _remote(self, task_id: str) -> RemoteTask:
        task = self._tasks[task_id]
        return RemoteTask(ORG, task_id, shown(task))


def shown(task: Task) -> dict[str, object]:
    """Its fields. It was created at the time of its mark."""
    login = IDENTITIES[task.maker].login
    return {"id": task.id, "createdAt": task.mark, "createdBy": {"githubLogin": login}}


class _NoCache:
    def get(self, _: object) -> None:
        return None

    def put(self, *_: object) -> None:
        return None

    def save(self) -> None:
        return None


class _Clock:
    def boot(self) -> float:
        return BOOT


class _NoThreads:
    """Replaces the executor: each plan would start a thread."""

    map = staticmethod(map)

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def read(service: Service, who: Identity, lookups: Sequence[Lookup]) -> RemoteView:
    """What an apply reads. It does not wait for a list to show young tasks: it may as well begin
    later."""
    if not lookups:
        return RemoteView(who, CLOCKS)
    read_by: Any = service
    with patch.object(survey, "ThreadPoolExecutor", _NoThreads):
        reader = survey.Survey(
            read_by, cast("Any", _NoCache()), parallelism=1, clock=cast("Any", _Clock())
        )
        reader.is_patient = False
        return reader.read(who, CLOCKS, lookups)
