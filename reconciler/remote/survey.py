"""Reads of a service what a plan needs to know, in as few requests as will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.model.errors import RemoteError
from reconciler.model.service import Service, TaskPage
from reconciler.model.task import FirstMessage, Identity, RemoteTask
from reconciler.plan.lookup import Lookup
from reconciler.plan.view import RemoteView, TaskId
from reconciler.remote.message_cache import MessageCache

FEW = 10
"""As many tasks are asked for one by one rather than looked for in the list."""


@dataclass(slots=True)
class _Findings:
    tasks: dict[TaskId, RemoteTask] = field(default_factory=dict)
    absent: set[TaskId] = field(default_factory=set)
    messages: dict[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: dict[TaskId, str] = field(default_factory=dict)
    cut_short: set[str] = field(default_factory=set)


class Survey:
    """Reads one service; `parallelism` requests at once, `clock` is this machine's."""

    def __init__(
        self,
        service: Service,
        cache: MessageCache,
        *,
        parallelism: int,
        settle_time: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._cache = cache
        self._parallelism = parallelism
        self._settle_time = settle_time
        self._clock = clock

    def read(self, plan_lookups: Callable[[Identity, datetime], list[Lookup]]) -> RemoteView:
        """What `plan_lookups` asks for, given who we are and the service's clock.

        Raises RemoteError where the service cannot be read.
        """
        identity = self._service.identity()
        now, service_now = self._clock(), self._service.service_clock()
        found = _Findings()
        with ThreadPoolExecutor(self._parallelism, "read") as pool:
            for lookup in plan_lookups(identity, service_now or now):
                self._organization(lookup, identity, service_now or now, found, pool)
        self._cache.save()
        return RemoteView(
            identity=identity,
            now=now,
            service_now=service_now,
            tasks=found.tasks,
            absent=frozenset(found.absent),
            messages=found.messages,
            unreadable=found.unreadable,
            cut_short=frozenset(found.cut_short),
        )

    def _organization(
        self,
        lookup: Lookup,
        identity: Identity,
        service_now: datetime,
        found: _Findings,
        pool: ThreadPoolExecutor,
    ) -> None:
        listing = _Listing(lookup, identity, found)
        if lookup.searches or len(lookup.ids) > FEW:
            listing.read(self._service.list_tasks(lookup.org_name))
            if listing.pages > 1 and (lookup.attempts or lookup.adopt_since is None):
                # What left the list meanwhile moves the rest up by one: a page may lack a task
                # that no page had, and taking that for none would make a second one.
                listing.read(self._service.list_tasks(lookup.org_name))
        self._one_by_one(lookup, found, pool, listed=listing.answered)
        self._messages(listing.wanted, service_now, found, pool)

    def _one_by_one(
        self, lookup: Lookup, found: _Findings, pool: ThreadPoolExecutor, *, listed: bool
    ) -> None:
        """The tasks that the list did not show; 404 twice, while the list answers, is absence."""
        org = lookup.org_name
        unseen = sorted(i for i in lookup.ids if TaskId(org, i) not in found.tasks)
        missing = []
        for task_id, task in zip(unseen, pool.map(self._get(org), unseen), strict=True):
            if task is None:
                missing.append(task_id)
            else:
                found.tasks[TaskId(org, task_id)] = task
        if missing and not listed:
            next(self._service.list_tasks(org), None)
        for task_id, task in zip(missing, pool.map(self._get(org), missing), strict=True):
            if task is None:
                found.absent.add(TaskId(org, task_id))
            else:
                found.tasks[TaskId(org, task_id)] = task

    def _get(self, org_name: str) -> Callable[[str], RemoteTask | None]:
        return lambda task_id: self._service.get_task(org_name, task_id)

    def _messages(
        self,
        wanted: Sequence[TaskId],
        service_now: datetime,
        found: _Findings,
        pool: ThreadPoolExecutor,
    ) -> None:
        unread = []
        for task in wanted:
            kept = self._cache.get(task)
            if kept is None:
                unread.append(task)
            else:
                found.messages[task] = kept
        for task, answer in zip(unread, pool.map(self._message, unread), strict=True):
            if isinstance(answer, RemoteError):
                found.unreadable[task] = str(answer)
            elif answer is not None:
                found.messages[task] = answer
                self._cache.put(task, answer)
            elif self._is_young(found.tasks[task], service_now):
                found.unreadable[task] = "it shows none yet"
            else:
                found.messages[task] = None

    def _message(self, task: TaskId) -> FirstMessage | RemoteError | None:
        try:
            return self._service.first_message(task.org_name, task.id)
        except RemoteError as problem:
            return problem

    def _is_young(self, task: RemoteTask, service_now: datetime) -> bool:
        created = task.created_at
        return created is None or service_now - created < self._settle_time


class _Listing:
    """One organization's list, newest first, read until nothing on the next page can matter."""

    def __init__(self, lookup: Lookup, identity: Identity, found: _Findings) -> None:
        self._lookup = lookup
        self._identity = identity
        self._found = found
        self._unseen = set(lookup.ids)
        self._start = lookup.goes_back_to()
        self.wanted: list[TaskId] = []
        self.answered = False
        self.pages = 0

    def read(self, pages: Iterator[TaskPage]) -> None:
        for page in pages:
            self.answered = True
            self.pages += 1
            if page.problem is not None:
                self._found.cut_short.add(self._lookup.org_name)
            for task in page:
                self._take(task)
            if self._is_enough(page):
                break
        self._keep_newest()

    def _take(self, task: RemoteTask) -> None:
        if task.id in self._unseen:
            self._unseen.discard(task.id)
            self._found.tasks[TaskId(task.org_name, task.id)] = task
            return
        task_id = TaskId(task.org_name, task.id)
        if task_id in self._found.tasks:
            return
        if self._lookup.searches and self._lookup.wants_message(task, self._identity):
            self._found.tasks[task_id] = task
            self.wanted.append(task_id)

    def _is_enough(self, page: TaskPage) -> bool:
        if len(self._unseen) > FEW:
            return False
        if not self._lookup.searches:
            return True
        if not self._lookup.attempts and len(self.wanted) > self._lookup.limit:
            return True
        return self._start is not None and _is_older(page, self._start)

    def _keep_newest(self) -> None:
        """Those for adoption up to the limit; those that an attempt may have made, all."""
        limit, kept = self._lookup.limit, []
        for task_id in self.wanted:
            task = self._found.tasks[task_id]
            if self._lookup.may_be_attempted(task):
                kept.append(task_id)
            elif limit > 0:
                limit -= 1
                kept.append(task_id)
            else:
                self._found.cut_short.add(task_id.org_name)
        self.wanted = kept


def _is_older(page: TaskPage, start: datetime) -> bool:
    """Whether all of a page is: one old task alone proves nothing of the pages after it, since a
    service that sorts otherwise than asked would hide what an attempt made."""
    created = [task.created_at for task in page.tasks]
    return bool(created) and all(made is not None and made < start for made in created)
