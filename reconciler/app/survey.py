"""Reads the data for a plan from the service, in as few requests as possible."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from reconciler.apply.known_tasks import KnownTasks, TasksById, Unlisted
from reconciler.model.clock import Clock, Clocks
from reconciler.model.diagnostics import RemoteError
from reconciler.model.kept import Kept
from reconciler.model.remarks import Remark
from reconciler.model.service import FirstMessage, Identity, RemoteTask, Service, TaskPage
from reconciler.model.task import TaskId
from reconciler.plan.lookup import BASELINE_SIZE, Lookup, newest_of
from reconciler.plan.view import RemoteView
from reconciler.remote.cache import TaskCache
from reconciler.state.attempt import Baseline
from reconciler.system.cache import UserCache

FEW = 10
"""Up to this number, tasks are requested individually instead of listing all."""

_NEVER = datetime.max.replace(tzinfo=UTC)

_FIRST_PAUSE, _LAST_PAUSE = 0.5, 10.0

_MANY_MESSAGES = 100
"""From this number on, a note reports that first messages are read."""


def message_cache(
    files: UserCache, service: str, caller: Identity, scrub: Callable[[str], str] = str
) -> TaskCache[FirstMessage]:
    """A cache of the first messages that this caller has read, of tasks older than the settle time.
    It is used for look-alikes, never for attempts."""
    return TaskCache(files, "first-messages", service, caller, FirstMessage, scrub)


@dataclass
class _Findings:
    """The fields of RemoteView that are filled while reading."""

    tasks: dict[TaskId, RemoteTask] = field(default_factory=dict)
    absent: set[TaskId] = field(default_factory=set)
    messages: dict[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: dict[TaskId, tuple[Remark, ...]] = field(default_factory=dict)
    cut_short: set[str] = field(default_factory=set)
    refused: dict[str, tuple[Remark, ...]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    unlisted: dict[str, Remark] = field(default_factory=dict)
    newest: dict[str, Baseline] = field(default_factory=dict)
    compared: set[str] = field(default_factory=set)


class Survey:
    """Reads one service. `parallelism` is the number of concurrent requests, `clock` the clock of
    this machine; `note` is called with progress. `seen` are the first messages that may still
    change, as last read; `known` are the tasks that were read because a list lacked them; `listed`
    are those that an attempt may have created, by organization, with the times of their creation:
    later lists must show them. `is_patient`: a list that lacks known tasks is read again for as
    long as it may."""

    def __init__(
        self,
        service: Service,
        cache: TaskCache[FirstMessage],
        *,
        parallelism: int,
        clock: Clock,
        note: Callable[..., None] = lambda _, **__: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.service, self.cache, self.kept = service, cache, Kept()
        self.seen: dict[TaskId, FirstMessage] = {}
        self.listed: dict[str, dict[str, datetime]] = {}
        self.known, self.is_patient = KnownTasks(service), True
        self._parallelism = parallelism
        self.clock, self.note, self.sleep = clock, note, sleep

    def begin(self) -> tuple[Identity, Clocks]:
        """The identity, and the clocks before anything else is read. Raises RemoteError."""
        identity = self.service.identity()
        clocks = Clocks(self.clock.now(), self.clock.boot(), self.service.service_clock())
        return identity, clocks

    def read(self, identity: Identity, clocks: Clocks, lookups: Sequence[Lookup]) -> RemoteView:
        """Reads the data for the `lookups`; `identity` and `clocks` are from `begin`.

        An organization that cannot be read is `refused`; if this user cannot see it, only if it is
        selected. Raises RemoteError if no selected organization can be read.
        """
        found, self.kept = _Findings(), Kept()
        selected = {lookup.org_name for lookup in lookups if lookup.is_selected}
        errors: dict[str, RemoteError] = {}
        with ThreadPoolExecutor(self._parallelism, "read") as pool:
            for lookup in lookups:
                organization = _Organization(self, lookup, identity, found, pool)
                try:
                    organization.read()
                except RemoteError as problem:
                    errors[lookup.org_name] = problem
                    if problem.is_refusal and not organization.is_visible:
                        found.hidden.add(lookup.org_name)
        self.cache.save()
        if selected and selected <= errors.keys():
            raise errors[min(selected)]
        for org_name, error in errors.items():
            if org_name in selected or org_name not in found.hidden:
                found.refused[org_name] = error.causes
        return RemoteView(identity, clocks, ignored_date=self.service.ignored_date(), **vars(found))


class _Listed(NamedTuple):
    """The part of a list that was read: the IDs, with the times of creation. `is_whole`: to its
    end."""

    tasks: dict[str, datetime | None]
    pages: int
    is_whole: bool


@dataclass(slots=True)
class _Organization:
    """Reads one organization as its lookup requests.

    `missing` are the requested IDs that were not found yet, `candidates` the listed tasks whose
    first messages are needed, newest first, `attempted` those that an attempt may have created.
    `is_visible`: a page of the list was read.
    """

    survey: Survey
    lookup: Lookup
    identity: Identity
    found: _Findings
    pool: ThreadPoolExecutor
    missing: set[str] = field(default_factory=set)
    candidates: list[TaskId] = field(default_factory=list)
    attempted: set[TaskId] = field(default_factory=set)
    is_visible: bool = False

    def read(self) -> None:
        lookup = self.lookup
        self.missing.update(lookup.ids)
        is_listed = lookup.searches or lookup.creates or len(lookup.ids) > FEW
        if is_listed:
            self._read_checked_list()
        self._read_missing(is_listed=is_listed)
        self._read_messages()

    def _read_checked_list(self) -> None:
        """Reads the list until it shows each known task that is too young to be listed for
        certain, if there is time for that."""
        lookup, survey, found = self.lookup, self.survey, self.found
        pause, begun = _FIRST_PAUSE, survey.clock.boot()
        now = lookup.settled_before + lookup.settle_time
        while (missing := self._read_lists()) is not None:
            left = missing.seconds_left(now, lookup.settle_time) - (survey.clock.boot() - begun)
            if left <= 0 or not survey.is_patient:
                found.unlisted[lookup.org_name] = missing.why
                found.newest.pop(lookup.org_name, None)
                break
            if pause == _FIRST_PAUSE:
                survey.note("list_lags", task_id=missing.task_id, seconds=math.ceil(left))
            survey.sleep(min(pause, left))
            pause = min(2 * pause, _LAST_PAUSE)
        if lookup.compares and lookup.org_name in found.newest:
            found.compared.add(lookup.org_name)

    def _read_lists(self) -> Unlisted | None:
        """Reads the list, twice if it has pages and is searched. Returns the known task that
        contradicts it."""
        lookup, service, org_name = self.lookup, self.survey.service, self.lookup.org_name
        before = dict(self.survey.listed.get(org_name, {}))
        first = self._read_list(service.list_tasks(org_name))
        listed = first.tasks
        if first.pages > 1 and lookup.searches:
            # A task that leaves the list meanwhile moves the others up, so that one of them may be
            # on no page. Reading it as absent could create a duplicate.
            listed = listed | self._read_list(service.list_tasks(org_name)).tasks
        if org_name in self.found.unlisted:
            return None
        last = None if first.is_whole else min(filter(None, listed.values()), default=None)
        reached = [i for i, at in before.items() if last is None or at > last]
        reached.sort(key=before.__getitem__, reverse=True)
        contradicting = (
            self.survey.known.unlisted(org_name, known, listed, self.pool, is_whole=is_whole)
            for known, is_whole in ((reached, True), (lookup.known, first.is_whole))
        )
        return next(filter(None, contradicting), None)

    def _read_list(self, pages: Iterator[TaskPage]) -> _Listed:
        """Reads the list, newest first, only as far as necessary."""
        org_name, found, read, is_whole = self.lookup.org_name, self.found, 0, True
        listed: dict[str, datetime | None] = {}
        attempted = self.survey.listed.setdefault(org_name, {})
        for page in pages:
            read, self.is_visible = read + 1, True
            if page.problem is not None:
                found.unlisted[org_name] = page.problem.cause
            for task in page:
                listed[task.id] = task.created_at
                if self.lookup.attempts and self.lookup.may_be_attempted(task, listed):
                    attempted[task.id] = task.created_at or _NEVER
                if self._add(task, listed):
                    self.survey.kept.keep(task.raw)
            if self._is_enough(listed):
                is_whole = False
                break
        if org_name not in found.unlisted:
            found.newest.setdefault(org_name, newest_of(org_name, listed, self.identity))
        self._keep_newest()
        return _Listed(listed, read, is_whole)

    def _add(self, task: RemoteTask, listed: Collection[str]) -> bool:
        """Adds a listed task if it is new and needed."""
        task_id = TaskId(task.org_name, task.id)
        if task_id in self.found.tasks:
            return False
        if task.id in self.missing:
            self.missing.discard(task.id)
            self.found.tasks[task_id] = task
        if self.lookup.searches and self.lookup.needs_message(task, listed):
            self.found.tasks[task_id] = task
            self.candidates.append(task_id)
            if self.lookup.may_be_attempted(task, listed):
                self.attempted.add(task_id)
        return task_id in self.found.tasks

    def _is_enough(self, listed: Collection[str]) -> bool:
        if len(self.missing) > FEW or len(listed) < BASELINE_SIZE:
            return False
        if not self.lookup.searches:
            return True
        limit = self.lookup.limit
        own = sum(map(self._may_be_own, self.candidates))
        if limit is not None and not self.lookup.attempts and own > limit:
            return True
        return self.lookup.is_deep_enough(listed)

    def _keep_newest(self) -> None:
        """Limits the candidates for adoption, but not those that an attempt may have created. Tasks
        of this user come first."""
        limit, kept = self.lookup.limit, []
        if limit is None:
            return
        for task_id in sorted(self.candidates, key=self._may_be_own, reverse=True):
            if task_id in self.attempted:
                kept.append(task_id)
            elif limit > 0:
                limit -= 1
                kept.append(task_id)
            elif self._may_be_own(task_id):
                self.found.cut_short.add(task_id.org_name)
        self.candidates = kept

    def _may_be_own(self, task_id: TaskId) -> bool:
        """Another user's task counts only if its first message was read."""
        return self.found.tasks[task_id].may_be_of(self.identity)

    def _read_missing(self, *, is_listed: bool) -> None:
        """Reads the tasks that are not in the list."""
        org_name, survey = self.lookup.org_name, self.survey
        by_id = TasksById(survey.service, org_name, self.pool, survey.kept)
        self._add_missing(by_id.get(self.missing))
        self._add_missing(by_id.get_absent(self.missing, is_listed=is_listed))
        self.found.absent.update(TaskId(org_name, task_id) for task_id in self.missing)

    def _add_missing(self, found: Mapping[TaskId, RemoteTask]) -> None:
        self.found.tasks.update(found)
        self.missing.difference_update(task.id for task in found)

    def _read_messages(self) -> None:
        view, cache, lookup = self.found, self.survey.cache, self.lookup
        known_by_id = (
            TaskId(lookup.org_name, task_id) for task_id in sorted(lookup.first_messages)
        )
        more = (task for task in known_by_id if task in view.tasks)
        unread = []
        for task in dict.fromkeys((*self.candidates, *more)):
            message = None if task in self.attempted else cache.get(task)
            if message is None and not lookup.is_final:
                message = self.survey.seen.get(task)
            if message is None:
                unread.append(task)
            else:
                view.messages[task] = message
        if len(unread) >= _MANY_MESSAGES:
            self.survey.note("reading_messages", count=len(unread), org=lookup.org_name)
        for task, answer in zip(unread, self.pool.map(self._first_message, unread), strict=True):
            if isinstance(answer, tuple):
                is_named = task in self.attempted or task.id in lookup.named
                if is_named or self._may_be_own(task):
                    view.unreadable[task] = answer
                continue
            view.messages[task] = answer
            if answer is not None and lookup.is_settled(view.tasks[task]):
                cache.put(task, answer)
            elif answer is not None:
                self.survey.seen[task] = answer

    def _first_message(self, task: TaskId) -> FirstMessage | tuple[Remark, ...] | None:
        """The first message, or the reason why it cannot be read."""
        try:
            found = self.survey.service.first_message(task.org_name, task.id)
            self.survey.kept.keep(found)
        except RemoteError as problem:
            return problem.causes
        return found
