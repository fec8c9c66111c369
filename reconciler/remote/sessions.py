"""Existing tasks: status, events, and messages to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from reconciler.model.canonical import map_texts
from reconciler.model.codes import Code
from reconciler.model.diagnostics import error
from reconciler.model.errors import RemoteError
from reconciler.model.task import Identity
from reconciler.model.typed_json import Codec
from reconciler.plan.view import TaskId
from reconciler.remote import responses
from reconciler.remote.cache import TaskCache
from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError
from reconciler.remote.failures import reason
from reconciler.remote.survey import FEW
from reconciler.state.model import Record
from reconciler.tasks.delivery import Lost, Outcome, Refusal, Sent
from reconciler.tasks.event_summary import EventSummary, advance
from reconciler.tasks.events import Event, event_id
from reconciler.tasks.status import TaskState, TaskStatus, state_of

Conceal = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """The summary of a task's events, and the token of the page with the last one (None: first
    page). It is cached, because events can only be read in ascending order."""

    summary: EventSummary
    token: str | None = None


def event_cache(folder: Path, backend: str, caller: Identity) -> TaskCache[ReadPosition]:
    """A cache of the positions up to which this caller has read the events of tasks."""
    return TaskCache(folder, "events", f"{backend}\n{caller!r}", Codec(ReadPosition))


class TaskReader:
    """Reads existing tasks and sends to them. `conceal` removes secrets from the service's
    texts. Thread-safe."""

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
        self, wanted: Collection[tuple[str, str]], parallelism: int
    ) -> dict[tuple[str, str], Mapping[str, object]]:
        """What the service shows of tasks, given by organization and ID, without those that it
        does not show. Many are looked for in the list, the rest is read one by one. RemoteError."""
        found: dict[tuple[str, str], Mapping[str, object]] = {}
        for org_name in sorted({org_name for org_name, _ in wanted}):
            unseen = {task_id for org, task_id in wanted if org == org_name}
            for page in self._client.list_tasks(org_name) if len(unseen) > FEW else ():
                listed = [task for task in page if task.id in unseen]
                found |= {(org_name, task.id): task.raw for task in listed}
                unseen.difference_update(task.id for task in listed)
                if len(unseen) <= FEW:
                    break
        rest = sorted(set(wanted) - found.keys())
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
        position = self._cache.get(TaskId(org_name, task_id))
        further = None if position is None else self._further(org_name, task_id, position)
        if position is None or further is None:
            position = ReadPosition(EventSummary())
            further = self.events(org_name, task_id, None)
        events, token = further
        position = ReadPosition(advance(position.summary, events), token)
        self._cache.put(TaskId(org_name, task_id), position)
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

    def _further(
        self, org_name: str, task_id: str, position: ReadPosition
    ) -> tuple[list[Event], str | None] | None:
        """The events after a position; None if the service no longer knows the position."""
        if not position.summary.event_id:
            return None
        try:
            events, token = self.events(org_name, task_id, position.token)
        except RemoteError as problem:
            if problem.status != 400:
                raise
            return None
        ids = [event_id(event) for event in events]
        if position.summary.event_id not in ids:
            return None
        return events[ids.index(position.summary.event_id) + 1 :], token

    def respond(self, org_name: str, task_id: str, event: Mapping[str, object]) -> Outcome:
        """Sends a user event to a task once. Raises RemoteError if it was certainly not sent."""
        return self._told(org_name, task_id, {"event": event})

    def cancel_by_force(self, org_name: str, task_id: str) -> Outcome:
        """Ends the task's session. Raises RemoteError if the request was certainly not sent."""
        return self._told(org_name, task_id, {"force": True}, "/cancel")

    def _told(
        self, org_name: str, task_id: str, body: Mapping[str, object], part: str = ""
    ) -> Outcome:
        try:
            response = self._client.tell(org_name, task_id, body, part)
        except NoResponseError as lost:
            why = reason(lost, self._client.scrub)
            if not lost.begun:
                problem = error(
                    Code.DELIVERY_REJECTED, "unsent", ref=f"{org_name}/{task_id}", why=why
                )
                raise RemoteError([problem]) from None
            return Lost(why)
        if 200 <= response.status < 300:
            return Sent()
        status, words = responses.refusal(response, self._client.scrub)
        words = self._conceal(words)
        if response.status >= 500 or response.status in (408, 425):
            return Lost(words)
        return Refusal(status, words)

    def without_secrets(self, values: Mapping[str, object]) -> dict[str, object]:
        clean: dict[str, object] = map_texts(self._shown, values, names=True)
        return clean

    def _shown(self, text: str) -> str:
        return self._conceal(self._client.scrub(text))
