"""Reads what a plan needs from the service, in as few requests as possible."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

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
from reconciler.user_cache import UserCache

FEW = 10
"""Up to this number, tasks are requested individually instead of listing all."""


def message_cache(
    files: UserCache, service: str, caller: Identity, scrub: Callable[[str], str] = str
) -> TaskCache[FirstMessage]:
    """A cache of the first messages, which never change, that this caller has read."""
    return TaskCache(files, "first-messages", service, caller, Codec(FirstMessage), scrub)


@dataclass
class _Findings:
    """The fields of RemoteView that are filled while reading."""

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
        return RemoteView(identity, clocks, ignored_date=self.service.ignored_date(), **vars(found))

    def clocks(self) -> Clocks:
        return Clocks(self._clock.now(), self._clock.boot(), self._clock.boot_id)

    def is_young(self, task: RemoteTask, clocks: Clocks) -> bool:
        """Whether it was created within the settle time, by any clock."""
        created = task.created_at
        if created is None:
            return True
        now = min(clocks.now, clocks.service_now or clocks.now)
        return now - created < self._settle_time


@dataclass(slots=True)
class _Organization:
    """Reads one organization as its lookup requests.

    `missing` are the requested IDs that were not found yet, `candidates` the listed tasks whose
    first messages are needed, newest first.
    """

    survey: Survey
    lookup: Lookup
    identity: Identity
    clocks: Clocks
    found: _Findings
    pool: ThreadPoolExecutor
    missing: set[str] = field(default_factory=set)
    candidates: list[TaskId] = field(default_factory=list)

    def read(self) -> None:
        lookup, service = self.lookup, self.survey.service
        self.missing.update(lookup.ids)
        pages = 0
        if lookup.searches or len(lookup.ids) > FEW:
            pages = self._read_list(service.list_tasks(lookup.org_name))
            if pages > 1 and lookup.searches:
                # A task that leaves the list meanwhile moves the others up, so that one of them
                # may be on no page. Reading it as absent could create a duplicate.
                self._read_list(service.list_tasks(lookup.org_name))
        self._read_missing(is_listed=pages > 0)
        self._probe_marks()
        self._read_messages()

    def _read_list(self, pages: Iterator[TaskPage]) -> int:
        """Reads the list, newest first, only as far as necessary. Returns the number of pages."""
        org_name, found, read = self.lookup.org_name, self.found, 0
        listed: dict[str, None] = {}
        for page in pages:
            read += 1
            if page.problem is not None:
                found.unlisted[org_name] = word(page.problem).summary
            for task in page:
                listed[task.id] = None
                self._add(task)
            if self._is_enough(listed):
                break
        found.newest.setdefault(org_name, tuple(listed)[:BASELINE_SIZE])
        self._keep_newest()
        return read

    def _add(self, task: RemoteTask) -> None:
        task_id = TaskId(task.org_name, task.id)
        if task_id in self.found.tasks:
            return
        if task.id in self.missing:
            self.missing.discard(task.id)
            self.found.tasks[task_id] = task
        if self.lookup.searches and self.lookup.needs_message(task, self.identity):
            self.found.tasks[task_id] = task
            self.candidates.append(task_id)

    def _is_enough(self, listed: Collection[str]) -> bool:
        if len(self.missing) > FEW:
            return False
        if not self.lookup.searches:
            return True
        if not self.lookup.attempts and len(self.candidates) > self.lookup.limit:
            return True
        return self.lookup.is_deep_enough(listed)

    def _keep_newest(self) -> None:
        """Limits the candidates for adoption, but not those that an attempt may have created."""
        limit, kept = self.lookup.limit, []
        for task_id in self.candidates:
            task = self.found.tasks[task_id]
            if self.lookup.may_be_attempted(task):
                kept.append(task_id)
            elif limit > 0:
                limit -= 1
                kept.append(task_id)
            else:
                self.found.cut_short.add(task_id.org_name)
        self.candidates = kept

    def _read_missing(self, *, is_listed: bool) -> None:
        """Reads the tasks that are not in the list. Absence means two 404s while the list
        responds."""
        org_name = self.lookup.org_name
        self._get_missing()
        if self.missing and not is_listed:
            next(self.survey.service.list_tasks(org_name), None)
        self._get_missing()
        self.found.absent.update(TaskId(org_name, task_id) for task_id in self.missing)

    def _get_missing(self) -> None:
        """Reads the missing tasks one by one."""
        org_name, service, ids = self.lookup.org_name, self.survey.service, sorted(self.missing)
        tasks = self.pool.map(lambda task_id: service.get_task(org_name, task_id), ids)
        for task_id, task in zip(ids, tasks, strict=True):
            if task is not None:
                self.missing.discard(task_id)
                self.found.tasks[TaskId(org_name, task_id)] = task

    def _probe_marks(self) -> None:
        """Checks with a known task whether the service preserves marks."""
        if self.lookup.probe is None:
            return
        task_id, marks = self.lookup.probe
        shown = self._first_message(TaskId(self.lookup.org_name, task_id))
        if isinstance(shown, FirstMessage) and any(mark.is_exact(m, shown.mark) for m in marks):
            self.found.marks_preserved.add(self.lookup.org_name)

    def _read_messages(self) -> None:
        found, cache, young = self.found, self.survey.cache, self.survey.young_messages
        unread = []
        for task in self.candidates:
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
