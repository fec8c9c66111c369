"""Reads what a plan needs from the service, in as few requests as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from reconciler.messages import word
from reconciler.model import mark
from reconciler.model.clock import Clock, Clocks
from reconciler.model.errors import RemoteError
from reconciler.model.service import Service, TaskPage
from reconciler.model.task import FirstMessage, Identity, RemoteTask, text_of
from reconciler.model.typed_json import Codec
from reconciler.plan.lookup import BASELINE_SIZE, Lookup
from reconciler.plan.recovery import Text, compare_texts
from reconciler.plan.view import RemoteView, TaskId
from reconciler.remote.cache import TaskCache

FEW = 10
"""Up to this number, tasks are requested individually instead of listing all."""


def message_cache(
    folder: Path, backend: str, scrub: Callable[[str], str] = str
) -> TaskCache[FirstMessage]:
    """A cache of a backend's first messages, which never change."""
    return TaskCache(folder, "first-messages", backend, Codec(FirstMessage), scrub)


@dataclass(slots=True)
class _Findings:
    tasks: dict[TaskId, RemoteTask] = field(default_factory=dict)
    absent: set[TaskId] = field(default_factory=set)
    messages: dict[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: dict[TaskId, str] = field(default_factory=dict)
    cut_short: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    marks_preserved: set[str] = field(default_factory=set)
    newest: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Survey:
    """Reads one service; `parallelism` is the number of concurrent requests, `clock` this
    machine's."""

    def __init__(
        self,
        service: Service,
        cache: TaskCache[FirstMessage],
        *,
        parallelism: int,
        settle_time: timedelta,
        clock: Clock,
    ) -> None:
        self._service = service
        self._cache = cache
        self._parallelism = parallelism
        self._settle_time = settle_time
        self._clock = clock
        self._young: dict[TaskId, FirstMessage] = {}

    def read(self, plan_lookups: Callable[[Identity, Clocks], list[Lookup]]) -> RemoteView:
        """Reads what `plan_lookups` requests, given the identity and the clocks.

        An organization that cannot be read is `refused`. Raises RemoteError if none can be read.
        """
        identity = self._service.identity()
        clocks = replace(self.clocks(), service=self._service.service_clock())
        found = _Findings()
        problems: list[RemoteError] = []
        asked = plan_lookups(identity, clocks)
        with ThreadPoolExecutor(self._parallelism, "read") as pool:
            for lookup in asked:
                try:
                    _Organization(self, lookup, identity, clocks, found, pool).read()
                except RemoteError as problem:
                    found.refused[lookup.org_name] = str(problem)
                    problems.append(problem)
        self._cache.save()
        if problems and len(problems) == len(asked):
            raise problems[0]
        return RemoteView(
            identity=identity,
            clocks=clocks,
            tasks=found.tasks,
            absent=frozenset(found.absent),
            messages=found.messages,
            unreadable=found.unreadable,
            cut_short=frozenset(found.cut_short),
            refused=found.refused,
            unlisted=found.unlisted,
            marks_preserved=frozenset(found.marks_preserved),
            newest=found.newest,
            ignored_date=self._service.ignored_date(),
        )

    def clocks(self) -> Clocks:
        return Clocks(self._clock.now(), self._clock.boot(), self._clock.boot_id)

    @property
    def service(self) -> Service:
        return self._service

    def kept(self, task: TaskId, *, is_final: bool) -> FirstMessage | None:
        """A cached first message; not that of a young task if it `is_final`."""
        return self._cache.get(task) or (None if is_final else self._young.get(task))

    def keep(self, task: TaskId, message: FirstMessage, *, for_good: bool) -> None:
        """Caches a first message; that of a young task may still change."""
        if for_good:
            self._cache.put(task, message)
        else:
            self._young[task] = message

    def is_young(self, task: RemoteTask, clocks: Clocks) -> bool:
        """Whether it was created within the settle time, by any clock."""
        created = task.created_at
        if created is None:
            return True
        now = min(clocks.now, clocks.service_now or clocks.now)
        return now - created < self._settle_time


class _Organization:
    """Reads one organization as its lookup requests."""

    def __init__(
        self,
        survey: Survey,
        lookup: Lookup,
        identity: Identity,
        clocks: Clocks,
        found: _Findings,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._survey, self._lookup, self._identity = survey, lookup, identity
        self._clocks, self._found, self._pool = clocks, found, pool

    def read(self) -> None:
        lookup, service = self._lookup, self._survey.service
        listing = _Listing(lookup, self._identity, self._found)
        if lookup.searches or len(lookup.ids) > FEW:
            listing.read(service.list_tasks(lookup.org_name))
            if listing.pages > 1 and lookup.searches:
                # What left the list meanwhile moves the rest up by one: a page may lack a task
                # that no page had, and taking that for none would make a second one.
                listing.read(service.list_tasks(lookup.org_name))
        self._one_by_one(listed=listing.answered)
        self._probe()
        self._messages(listing.candidates)

    def _one_by_one(self, *, listed: bool) -> None:
        """Tasks that the list did not show. Absence means two 404s while the list responds."""
        org, found, pool = self._lookup.org_name, self._found, self._pool
        missing = []
        ids = sorted(i for i in self._lookup.ids if TaskId(org, i) not in found.tasks)
        for task_id, task in zip(ids, pool.map(self._get, ids), strict=True):
            if task is None:
                missing.append(task_id)
            else:
                found.tasks[TaskId(org, task_id)] = task
        if missing and not listed:
            next(self._survey.service.list_tasks(org), None)
        for task_id, task in zip(missing, pool.map(self._get, missing), strict=True):
            if task is None:
                found.absent.add(TaskId(org, task_id))
            else:
                found.tasks[TaskId(org, task_id)] = task

    def _get(self, task_id: str) -> RemoteTask | None:
        return self._survey.service.get_task(self._lookup.org_name, task_id)

    def _probe(self) -> None:
        """Checks with a known task whether the service preserves marks."""
        if self._lookup.probe is None:
            return
        task_id, marks = self._lookup.probe
        shown = self._first_message(TaskId(self._lookup.org_name, task_id))
        if isinstance(shown, FirstMessage) and any(mark.is_exact(m, shown.mark) for m in marks):
            self._found.marks_preserved.add(self._lookup.org_name)

    def _messages(self, candidates: Sequence[TaskId]) -> None:
        found, unread = self._found, []
        for task in candidates:
            kept = self._survey.kept(task, is_final=self._lookup.is_final)
            if kept is None:
                unread.append(task)
            else:
                found.messages[task] = kept
        for task, answer in zip(unread, self._pool.map(self._first_message, unread), strict=True):
            is_young = self._survey.is_young(found.tasks[task], self._clocks)
            if isinstance(answer, RemoteError):
                found.unreadable[task] = str(answer)
            elif answer is not None:
                found.messages[task] = answer
                for_good = not is_young or self._is_known(answer)
                self._survey.keep(task, answer, for_good=for_good)
            elif is_young:
                found.unreadable[task] = "it shows none yet"
            else:
                found.messages[task] = None

    def _first_message(self, task: TaskId) -> FirstMessage | RemoteError | None:
        try:
            return self._survey.service.first_message(task.org_name, task.id)
        except RemoteError as problem:
            return problem

    def _is_known(self, message: FirstMessage) -> bool:
        """Whether it has the mark and text of one of our attempts, and is therefore final."""
        return any(
            mark.is_exact(attempt.mark, message.mark)
            and compare_texts(message.text, text_of(attempt.inputs) or "") is Text.SAME
            for attempt in self._lookup.attempts
        )


class _Listing:
    """One organization's list, newest first, read only as far as it can matter."""

    def __init__(self, lookup: Lookup, identity: Identity, found: _Findings) -> None:
        self._lookup = lookup
        self._identity = identity
        self._found = found
        self._unseen = set(lookup.ids)
        self._seen: dict[str, None] = {}
        self.candidates: list[TaskId] = []
        self.answered = False
        self.pages = 0

    def read(self, pages: Iterator[TaskPage]) -> None:
        self._seen = {}
        for page in pages:
            self.answered = True
            self.pages += 1
            if page.problem is not None:
                self._found.unlisted[self._lookup.org_name] = word(page.problem).summary
            for task in page:
                self._seen[task.id] = None
                self._take(task)
            if self._is_enough():
                break
        newest = tuple(self._seen)[:BASELINE_SIZE]
        self._found.newest.setdefault(self._lookup.org_name, newest)
        self._keep_newest()

    def _take(self, task: RemoteTask) -> None:
        task_id = TaskId(task.org_name, task.id)
        if task_id in self._found.tasks:
            return
        if task.id in self._unseen:
            self._unseen.discard(task.id)
            self._found.tasks[task_id] = task
        if self._lookup.searches and self._lookup.needs_message(task, self._identity):
            self._found.tasks[task_id] = task
            self.candidates.append(task_id)

    def _is_enough(self) -> bool:
        if len(self._unseen) > FEW:
            return False
        if not self._lookup.searches:
            return True
        if not self._lookup.attempts and len(self.candidates) > self._lookup.limit:
            return True
        return self._lookup.is_deep_enough(self._seen)

    def _keep_newest(self) -> None:
        """Keeps candidates for adoption up to the limit, and everything that an attempt may have
        created."""
        limit, kept = self._lookup.limit, []
        for task_id in self.candidates:
            task = self._found.tasks[task_id]
            if self._lookup.may_be_attempted(task):
                kept.append(task_id)
            elif limit > 0:
                limit -= 1
                kept.append(task_id)
            else:
                self._found.cut_short.add(task_id.org_name)
        self.candidates = kept
