"""Reads what a plan needs from the service, in as few requests as possible."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from reconciler.messages import word
from reconciler.model import mark
from reconciler.model.clock import Clock, Clocks
from reconciler.model.diagnostics import RemoteError
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
    """Reads one service. `parallelism` is the number of concurrent requests, `clock` the clock of
    this machine. First messages younger than `settle_time` may still change."""

    def __init__(
        self,
        service: Service,
        cache: TaskCache[FirstMessage],
        *,
        parallelism: int,
        settle_time: timedelta,
        clock: Clock,
    ) -> None:
        self.service, self.cache = service, cache
        self.young_messages: dict[TaskId, FirstMessage] = {}
        self._parallelism = parallelism
        self._settle_time = settle_time
        self._clock = clock

    def read(self, plan_lookups: Callable[[Identity, Clocks], list[Lookup]]) -> RemoteView:
        """Reads what `plan_lookups` requests, given the identity and the clocks.

        An organization that cannot be read is `refused`. Raises RemoteError if none can be read.
        """
        identity = self.service.identity()
        clocks = self.clocks()._replace(service=self.service.service_clock())
        found = _Findings()
        errors: list[RemoteError] = []
        lookups = plan_lookups(identity, clocks)
        with ThreadPoolExecutor(self._parallelism, "read") as pool:
            for lookup in lookups:
                try:
                    _Organization(self, lookup, identity, clocks, found, pool).read()
                except RemoteError as problem:
                    found.refused[lookup.org_name] = str(problem)
                    errors.append(problem)
        self.cache.save()
        if errors and len(errors) == len(lookups):
            raise errors[0]
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
            ignored_date=self.service.ignored_date(),
        )

    def clocks(self) -> Clocks:
        return Clocks(self._clock.now(), self._clock.boot(), self._clock.boot_id)

    def is_young(self, task: RemoteTask, clocks: Clocks) -> bool:
        """Whether it was created within the settle time, by any clock."""
        created = task.created_at
        if created is None:
            return True
        now = min(clocks.now, clocks.service_now or clocks.now)
        return now - created < self._settle_time


@dataclass(frozen=True, slots=True)
class _Organization:
    """Reads one organization as its lookup requests."""

    survey: Survey
    lookup: Lookup
    identity: Identity
    clocks: Clocks
    found: _Findings
    pool: ThreadPoolExecutor

    def read(self) -> None:
        lookup, service = self.lookup, self.survey.service
        listing = _Listing(lookup, self.identity, self.found)
        if lookup.searches or len(lookup.ids) > FEW:
            listing.read(service.list_tasks(lookup.org_name))
            if listing.pages > 1 and lookup.searches:
                # A task that leaves the list meanwhile moves the others up, so that one of them
                # may be on no page. Reading it as absent could create a duplicate.
                listing.read(service.list_tasks(lookup.org_name))
        self._read_missing(is_listed=listing.pages > 0)
        self._probe_marks()
        self._read_messages(listing.candidates)

    def _read_missing(self, *, is_listed: bool) -> None:
        """Reads the tasks that are not in the list. Absence means two 404s while the list
        responds."""
        org, found = self.lookup.org_name, self.found
        missing = sorted(i for i in self.lookup.ids if TaskId(org, i) not in found.tasks)
        missing = self._get(missing)
        if missing and not is_listed:
            next(self.survey.service.list_tasks(org), None)
        found.absent.update(TaskId(org, task_id) for task_id in self._get(missing))

    def _get(self, ids: list[str]) -> list[str]:
        """Reads tasks one by one; returns the IDs that were not found."""
        org, service = self.lookup.org_name, self.survey.service
        tasks = self.pool.map(lambda task_id: service.get_task(org, task_id), ids)
        missing = []
        for task_id, task in zip(ids, tasks, strict=True):
            if task is None:
                missing.append(task_id)
            else:
                self.found.tasks[TaskId(org, task_id)] = task
        return missing

    def _probe_marks(self) -> None:
        """Checks with a known task whether the service preserves marks."""
        if self.lookup.probe is None:
            return
        task_id, marks = self.lookup.probe
        shown = self._first_message(TaskId(self.lookup.org_name, task_id))
        if isinstance(shown, FirstMessage) and any(mark.is_exact(m, shown.mark) for m in marks):
            self.found.marks_preserved.add(self.lookup.org_name)

    def _read_messages(self, candidates: Sequence[TaskId]) -> None:
        found, cache, young = self.found, self.survey.cache, self.survey.young_messages
        unread = []
        for task in candidates:
            known = cache.get(task) or (None if self.lookup.is_final else young.get(task))
            if known is None:
                unread.append(task)
            else:
                found.messages[task] = known
        for task, answer in zip(unread, self.pool.map(self._first_message, unread), strict=True):
            is_young = self.survey.is_young(found.tasks[task], self.clocks)
            if isinstance(answer, RemoteError):
                found.unreadable[task] = str(answer)
            elif answer is not None:
                found.messages[task] = answer
                if is_young and not self._is_known(answer):
                    young[task] = answer
                else:
                    cache.put(task, answer)
            elif is_young:
                found.unreadable[task] = "no message yet"
            else:
                found.messages[task] = None

    def _first_message(self, task: TaskId) -> FirstMessage | RemoteError | None:
        try:
            return self.survey.service.first_message(task.org_name, task.id)
        except RemoteError as problem:
            return problem

    def _is_known(self, message: FirstMessage) -> bool:
        """Whether it has the mark and text of one of our attempts, and is therefore final."""
        return any(
            mark.is_exact(attempt.mark, message.mark)
            and compare_texts(message.text, text_of(attempt.inputs) or "") is Text.SAME
            for attempt in self.lookup.attempts
        )


class _Listing:
    """One organization's list, newest first, read only as far as necessary."""

    def __init__(self, lookup: Lookup, identity: Identity, found: _Findings) -> None:
        self._lookup = lookup
        self._identity = identity
        self._found = found
        self._missing = set(lookup.ids)
        self.candidates: list[TaskId] = []
        self.pages = 0

    def read(self, pages: Iterator[TaskPage]) -> None:
        listed: dict[str, None] = {}
        for page in pages:
            self.pages += 1
            if page.problem is not None:
                self._found.unlisted[self._lookup.org_name] = word(page.problem).summary
            for task in page:
                listed[task.id] = None
                self._add(task)
            if self._is_enough(listed):
                break
        newest = tuple(listed)[:BASELINE_SIZE]
        self._found.newest.setdefault(self._lookup.org_name, newest)
        self._keep_newest()

    def _add(self, task: RemoteTask) -> None:
        task_id = TaskId(task.org_name, task.id)
        if task_id in self._found.tasks:
            return
        if task.id in self._missing:
            self._missing.discard(task.id)
            self._found.tasks[task_id] = task
        if self._lookup.searches and self._lookup.needs_message(task, self._identity):
            self._found.tasks[task_id] = task
            self.candidates.append(task_id)

    def _is_enough(self, listed: Collection[str]) -> bool:
        if len(self._missing) > FEW:
            return False
        if not self._lookup.searches:
            return True
        if not self._lookup.attempts and len(self.candidates) > self._lookup.limit:
            return True
        return self._lookup.is_deep_enough(listed)

    def _keep_newest(self) -> None:
        """Limits the candidates for adoption, but not those that an attempt may have created."""
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
