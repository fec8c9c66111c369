"""Reads existing tasks and their events, and sends messages to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from reconciler.app.known_tasks import TasksById
from reconciler.app.survey import FEW
from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.model.kept import Kept
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.task import TaskId, TaskRef
from reconciler.model.task_state import TaskState, state_of_absent
from reconciler.model.value import Stored, replace
from reconciler.remote import responses
from reconciler.remote.cache import TaskCache
from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError
from reconciler.state.model import Record
from reconciler.system.cache import UserCache
from reconciler.tasks.delivery import Lost, Refusal
from reconciler.tasks.events import Event, EventSummary, advance, event_id
from reconciler.tasks.status import TaskStatus, state_of


class ReadPosition(Stored, frozen=True):
    """The summary of a task's events, and the token of the page with the last event (None: first
    page). It is cached, because events can only be read in ascending order.

    `outputs` is the digest of the task's outputs, read before the events; empty if there may be new
    events although they are the same.
    """

    summary: EventSummary
    token: str | None = None
    outputs: str = ""


EventPage = tuple[list[Event], str | None]
"""Events, and the token of their page (None: the first)."""


def event_cache(files: UserCache, service: str, caller: Identity) -> TaskCache[ReadPosition]:
    """A cache of the positions up to which this caller has read the events of tasks."""
    return TaskCache(files, "events", service, caller, ReadPosition)


class TaskReader:
    """Reads existing tasks and sends messages to them. Without a `cache`, all events are read. A
    task younger than the `settle_time` may not be visible yet. Thread-safe.

    The API does not say how a task ended: it is idle if it is done, failed, stopped or waiting for
    a person. Only its events show it. But an agent cannot work, and nobody can send it a message,
    without a change of `status`, `tokensUsed`, `pendingInputCount` or `lastHeartbeat`. So the
    events of a finished task are not read again while all its outputs stay the same.
    """

    def __init__(
        self,
        client: Client,
        cache: TaskCache[ReadPosition] | None,
        now: Callable[[], datetime],
        settle_time: timedelta,
    ) -> None:
        self._client, self._cache, self._now, self._settle_time = client, cache, now, settle_time
        self._kept, self._has_responded = Kept(), False
        self._refused: set[TaskId] = set()

    def statuses(self, records: Sequence[Record], parallelism: int) -> list[TaskStatus]:
        """The statuses, in the given order. Tasks of an organization that the token may not read
        are not visible. Raises RemoteError."""
        self._kept = Kept()
        outputs: dict[TaskId, Mapping[str, object]] = {}
        by_org: dict[str, list[Record]] = {}
        for record in records:
            by_org.setdefault(record.ref.org_name, []).append(record)
        refused = self._read_each(
            by_org, lambda org: outputs.update(self._outputs_of(org, by_org[org], parallelism))
        )
        statuses: dict[TaskRef, TaskStatus] = {}
        unread: list[tuple[Record, Mapping[str, object]]] = []
        for record in records:
            if record.ref.org_name in refused:
                statuses[record.ref] = self.status_of(record, TaskState.NOT_VISIBLE)
                continue
            raw = outputs.get(_id_of(record))
            summary = self._unchanged(record, raw) if raw is not None else None
            if raw is not None and summary is None:
                unread.append((record, raw))
            else:
                statuses[record.ref] = self._status(record, raw, summary)
        with ThreadPoolExecutor(max(1, min(parallelism, len(unread)))) as pool:
            read = pool.map(lambda pair: self._status_if_readable(*pair), unread)
            statuses |= {status.ref: status for status in read}
        if self._cache is not None:
            self._cache.save()
        return [statuses[record.ref] for record in records]

    def outputs(
        self,
        tasks: Collection[TaskId],
        parallelism: int,
        optional: Collection[TaskId] = frozenset(),
    ) -> dict[TaskId, Mapping[str, object]]:
        """The outputs of the visible tasks. If there are many, they are read from the list, and the
        rest individually; `optional` tasks only if a requested list contains them. Raises
        RemoteError."""
        found: dict[TaskId, Mapping[str, object]] = {}

        def read(org_name: str) -> None:
            wanted = {task.id for task in tasks if task.org_name == org_name}
            also = {task.id for task in optional if task.org_name == org_name}
            found.update(self._read(org_name, wanted, parallelism, also))

        self._read_each({task.org_name for task in tasks}, read)
        return found

    def _read(
        self,
        org_name: str,
        ids: Collection[str],
        parallelism: int,
        optional: Collection[str] = (),
        own: Collection[str] = (),
    ) -> dict[TaskId, Mapping[str, object]]:
        """The outputs of tasks of one organization; missing `own` tasks are absent
        (`TasksById`)."""
        found: dict[TaskId, RemoteTask] = {}
        missing, is_listed = set(ids), len(ids) > FEW
        for page in self._client.list_tasks(org_name) if is_listed else ():
            for task in page:
                if task.id in missing or task.id in optional:
                    self._kept.keep(task.raw)
                    found[TaskId(org_name, task.id)] = task
                    missing.discard(task.id)
            if len(missing) <= FEW:
                break
        with ThreadPoolExecutor(max(1, min(parallelism, len(missing)))) as pool:
            by_id = TasksById(self._client, org_name, pool, self._kept)
            found |= by_id.get(missing)
            absent = missing.intersection(own).difference(task.id for task in found)
            found |= by_id.get_absent(absent, is_listed=is_listed)
        self._refused |= {TaskId(org_name, task_id) for task_id in by_id.refused}
        return {task_id: task.raw for task_id, task in found.items()}

    def _read_each(
        self, organizations: Iterable[str], read: Callable[[str], None]
    ) -> Mapping[str, RemoteError]:
        """Reads each organization; returns those that the token may not read. Raises RemoteError
        for other problems, and if no organization has responded yet."""
        refused: dict[str, RemoteError] = {}
        for org_name in sorted(organizations):
            try:
                read(org_name)
            except RemoteError as problem:
                if not problem.is_refusal:
                    raise
                refused[org_name] = problem
            else:
                self._has_responded = True
        if refused and not self._has_responded:
            raise next(iter(refused.values()))
        return refused

    def _outputs_of(
        self, org_name: str, records: Sequence[Record], parallelism: int
    ) -> dict[TaskId, Mapping[str, object]]:
        """The outputs of the visible tasks. A 404 shows only to its creator that a task is gone."""
        caller = self._client.identity()
        own = {each.task_id for each in records if caller.same_as(each.identity)}
        return self._read(org_name, {each.task_id for each in records}, parallelism, own=own)

    def status(self, record: Record) -> TaskStatus:
        """The status, with all events up to now. Raises RemoteError."""
        task = _id_of(record)
        self._expect_events(task)
        return self._status(record, self._outputs_of(task.org_name, [record], 1).get(task))

    def _status(
        self,
        record: Record,
        raw: Mapping[str, object] | None,
        summary: EventSummary | None = None,
    ) -> TaskStatus:
        """The status; reads the events without a `summary` of them."""
        if raw is None and _id_of(record) in self._refused:
            return self.status_of(record, TaskState.NOT_VISIBLE)
        if raw is None:
            is_own = self._client.identity().same_as(record.identity)
            created, now, settle = record.created_at, self._now(), self._settle_time
            return self.status_of(record, state_of_absent(created, now, settle, is_own=is_own))
        summary = self._summary(record, raw) if summary is None else summary
        return self.status_of(record, state_of(raw, summary), raw, summary)

    def _status_if_readable(self, record: Record, raw: Mapping[str, object]) -> TaskStatus:
        """The status; not visible if the service shows the task but refuses its events twice."""
        for _ in range(2):
            try:
                return self._status(record, raw)
            except RemoteError as problem:
                if not problem.is_refusal:
                    raise
        return self.status_of(record, TaskState.NOT_VISIBLE)

    def status_of(
        self,
        record: Record,
        state: TaskState,
        raw: Mapping[str, object] | None = None,
        summary: EventSummary | None = None,
    ) -> TaskStatus:
        """A status without further requests."""
        ref, task_id = record.ref, record.task_id
        url = self._client.task_url(ref.org_name, task_id)
        raw, summary = raw or {}, summary or EventSummary()
        return TaskStatus(ref, state, record.file, task_id, url, raw, summary)

    def _position(self, task: TaskId) -> ReadPosition | None:
        return self._cache.get(task) if self._cache is not None else None

    def _summary(self, record: Record, raw: Mapping[str, object]) -> EventSummary:
        """The summary of a task's events, given its outputs; reads only new events. Raises
        RemoteError."""
        if (unchanged := self._unchanged(record, raw)) is not None:
            return unchanged
        task = _id_of(record)
        position, outputs = self._position(task), digest(raw)
        found = self._continued(task, position) if position is not None else None
        pages = self.event_pages(*task, None)
        summary, token = found or self._advanced(EventSummary(), pages)
        if self._cache is not None:
            self._cache.put(task, ReadPosition(summary, token, outputs))
        return summary

    def _unchanged(self, record: Record, raw: Mapping[str, object]) -> EventSummary | None:
        """The summary of a task that has finished, and whose outputs have not changed since."""
        position = self._position(_id_of(record))
        if position is None or position.outputs != digest(raw):
            return None
        return position.summary if state_of(raw, position.summary).is_finished else None

    def _expect_events(self, task: TaskId) -> None:
        """Reads the task's events next time, even if its outputs are the same: the list may show
        outputs that are a few seconds old."""
        position = self._position(task)
        if self._cache is not None and position is not None and position.outputs:
            self._cache.put(task, replace(position, outputs=""))
            self._cache.save()

    def event_pages(self, org_name: str, task_id: str, token: str | None) -> Iterator[EventPage]:
        """The pages of events from the one with this token (None: first) on. Raises RemoteError,
        also for an unknown token."""
        for entries, following in self._client.event_pages(org_name, task_id, token):
            yield [event for event in entries if isinstance(event, Mapping)], token
            del entries
            token = following

    def _continued(
        self, task: TaskId, position: ReadPosition
    ) -> tuple[EventSummary, str | None] | None:
        """The summary after the events that follow a position, and the token of the last page;
        None if the service no longer knows the position."""
        last = position.summary.event_id
        if not last:
            return None
        pages = self.event_pages(*task, position.token)
        try:
            for page, token in pages:
                events = iter(page)
                if any(event_id(event) == last for event in events):
                    summary = advance(position.summary, events)
                    return self._advanced(summary, pages, token)
        except RemoteError as problem:
            if problem.status != 400:
                raise
        return None

    def _advanced(
        self,
        summary: EventSummary,
        pages: Iterable[EventPage],
        last: str | None = None,
    ) -> tuple[EventSummary, str | None]:
        """The summary after the events of `pages`, and the token of the last page, or `last` if
        there are no pages."""
        size = self._kept.keep(summary)
        for events, token in pages:
            summary, last = advance(summary, events), token
            del events
            size = self._kept.keep(summary, size)
        return summary, last

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
        self._expect_events(task)
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
        if response.status >= 500 or response.status in (408, 425):
            return Lost(message)
        return Refusal(status, message)


def _id_of(record: Record) -> TaskId:
    return TaskId(record.ref.org_name, record.task_id)
