"""Reads existing tasks and their events, and sends messages to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reconciler.model.canonical import map_texts
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.model.task import Identity
from reconciler.model.typed_json import Codec
from reconciler.plan.view import TaskId
from reconciler.remote import responses
from reconciler.remote.cache import TaskCache
from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError
from reconciler.remote.survey import FEW
from reconciler.state.model import Record
from reconciler.tasks.delivery import Lost, Refusal
from reconciler.tasks.events import Event, EventSummary, advance, event_id
from reconciler.tasks.status import TaskState, TaskStatus, state_of
from reconciler.user_cache import UserCache

Conceal = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """The summary of a task's events, and the token of the page with the last one (None: first
    page). It is cached, because events can only be read in ascending order."""

    summary: EventSummary
    token: str | None = None


def event_cache(files: UserCache, service: str, caller: Identity) -> TaskCache[ReadPosition]:
    """A cache of the positions up to which this caller has read the events of tasks."""
    return TaskCache(files, "events", service, caller, Codec(ReadPosition))


class TaskReader:
    """Reads existing tasks and sends messages to them. `conceal` removes secrets from texts of the
    service. Thread-safe."""

    def __init__(self, client: Client, cache: TaskCache[ReadPosition], conceal: Conceal) -> None:
        self._client = client
        self._cache = cache
        self._conceal = conceal

    def statuses(self, records: list[Record], parallelism: int) -> list[TaskStatus]:
        """The statuses, in the given order. Raises RemoteError."""
        if not records:
            return []
        with ThreadPoolExecutor(min(parallelism, len(records))) as pool:
            found = list(pool.map(self.status, records))
        self._cache.save()
        return found

    def outputs(
        self, tasks: Collection[TaskId], parallelism: int
    ) -> dict[TaskId, Mapping[str, object]]:
        """The outputs of those tasks that are visible. If there are many, they are read from the
        list, and the rest individually. Raises RemoteError."""
        found: dict[TaskId, Mapping[str, object]] = {}
        for org_name in sorted({task.org_name for task in tasks}):
            missing = {task.id for task in tasks if task.org_name == org_name}
            for page in self._client.list_tasks(org_name) if len(missing) > FEW else ():
                listed = [task for task in page if task.id in missing]
                found |= {TaskId(org_name, task.id): task.raw for task in listed}
                missing.difference_update(task.id for task in listed)
                if len(missing) <= FEW:
                    break
        rest = sorted(set(tasks) - found.keys())
        with ThreadPoolExecutor(max(1, min(parallelism, len(rest)))) as pool:
            read = pool.map(lambda task: self._client.get_task(*task), rest)
            found |= {at: task.raw for at, task in zip(rest, read, strict=True) if task is not None}
        return found

    def status(self, record: Record) -> TaskStatus:
        ref = record.ref
        url = self._client.task_url(ref.org_name, record.task_id)
        task = self._client.get_task(ref.org_name, record.task_id)
        if task is None:
            mine = self._client.identity().same_as(record.identity)
            state = TaskState.GONE if mine else TaskState.NOT_VISIBLE
            return TaskStatus(ref, state, record.file, record.task_id, url)
        summary = self.summary(ref.org_name, record.task_id)
        raw = self.without_secrets(task.raw)
        state = state_of(raw, summary)
        return TaskStatus(ref, state, record.file, record.task_id, url, raw, summary)

    def summary(self, org_name: str, task_id: str) -> EventSummary:
        """The summary of a task's events; reads only new events. Raises RemoteError."""
        task = TaskId(org_name, task_id)
        position = self._cache.get(task)
        new = self._new_events(task, position) if position is not None else None
        if position is None or new is None:
            position = ReadPosition(EventSummary())
            new = self.events(org_name, task_id, None)
        events, token = new
        position = ReadPosition(advance(position.summary, events), token)
        self._cache.put(task, position)
        return position.summary

    def events(
        self, org_name: str, task_id: str, token: str | None
    ) -> tuple[list[Event], str | None]:
        """The events from the page with this token (None: first) on, and the token of the last
        page. Raises RemoteError, also for an unknown token."""
        found: list[Event] = []
        last = token
        for entries, following in self._client.event_pages(org_name, task_id, token):
            found += [self.without_secrets(e) for e in entries if isinstance(e, Mapping)]
            last, token = token, following
        return found, last

    def _new_events(
        self, task: TaskId, position: ReadPosition
    ) -> tuple[list[Event], str | None] | None:
        """The events after a position; None if the service no longer knows the position."""
        if not position.summary.event_id:
            return None
        try:
            events, token = self.events(*task, position.token)
        except RemoteError as problem:
            if problem.status != 400:
                raise
            return None
        ids = [event_id(event) for event in events]
        if position.summary.event_id not in ids:
            return None
        return events[ids.index(position.summary.event_id) + 1 :], token

    def respond(
        self, org_name: str, task_id: str, event: Mapping[str, object]
    ) -> Refusal | Lost | None:
        """Sends a user event to a task once; None: the task accepted it. Raises RemoteError if it
        was certainly not sent."""
        return self._post(TaskId(org_name, task_id), {"event": event})

    def force_cancel(self, org_name: str, task_id: str) -> Refusal | Lost | None:
        """Ends the task's session; returns and raises as `respond` does."""
        return self._post(TaskId(org_name, task_id), {"force": True}, "/cancel")

    def _post(
        self, task: TaskId, body: Mapping[str, object], suffix: str = ""
    ) -> Refusal | Lost | None:
        try:
            response = self._client.post_to_task(*task, body, suffix)
        except NoResponseError as lost:
            why = responses.reason(lost, self._client.scrub)
            if lost.begun:
                return Lost(why)
            ref = "/".join(task)
            raise RemoteError.of(Code.DELIVERY_REJECTED, "unsent", ref=ref, why=why) from None
        if 200 <= response.status < 300:
            return None
        status, message = responses.refusal(response, self._client.scrub)
        message = self._conceal(message)
        if response.status >= 500 or response.status in (408, 425):
            return Lost(message)
        return Refusal(status, message)

    def without_secrets(self, values: Mapping[str, object]) -> dict[str, object]:
        clean: dict[str, object] = map_texts(
            lambda text: self._conceal(self._client.scrub(text)), values, names=True
        )
        return clean
