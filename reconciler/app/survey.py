"""Reads what a plan needs from the service, in as few requests as possible."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from reconciler.app.known_tasks import KnownTasks, TasksById
from reconciler.model.clock import Clock, Clocks
from reconciler.model.diagnostics import RemoteError
from reconciler.model.kept import Kept
from reconciler.model.remarks import Arg, remark
from reconciler.model.service import FirstMessage, Identity, RemoteTask, Service, TaskPage
from reconciler.model.task import TaskId
from reconciler.plan.facts import Facts, Listing
from reconciler.plan.needs import Need, newest_of
from reconciler.remote.cache import TaskCache
from reconciler.system.cache import UserCache

FEW = 10
"""Up to this number, tasks are requested individually instead of listing all."""

MESSAGES_AT_ONCE = 1_000
"""First messages that are read before the baseline can move: a run that is killed repeats at most
this many."""

_MANY_MESSAGES = 100
"""From this number on, a note reports that first messages are read."""

_NEVER = datetime.max.replace(tzinfo=UTC)

Advance = Callable[[Facts], None]
"""Called with everything up to a listed task, as if the newer tasks did not exist."""


def message_cache(
    files: UserCache, service: str, caller: Identity, scrub: Callable[[str], str] = str
) -> TaskCache[FirstMessage]:
    """A cache of the first messages that this caller has read, of tasks older than the settle
    time."""
    return TaskCache(files, "first-messages", service, caller, FirstMessage, scrub)


@dataclass
class _Findings:
    """The fields of Facts that are filled while reading."""

    tasks: dict[TaskId, RemoteTask] = field(default_factory=dict)
    absent: set[TaskId] = field(default_factory=set)
    messages: dict[TaskId, FirstMessage | None] = field(default_factory=dict)
    unreadable: dict[TaskId, Arg] = field(default_factory=dict)
    failed: set[TaskId] = field(default_factory=set)
    lists: dict[str, Listing] = field(default_factory=dict)
    refused: dict[str, Arg] = field(default_factory=dict)


class Survey:
    """Reads one service. `parallelism` is the number of concurrent requests, `clock` the clock of
    this machine; `note` is called with progress. `known` are the tasks that were read because a
    list lacked them; `unknown` are those that this run has listed, by organization, newest first:
    later lists must show them."""

    def __init__(
        self,
        service: Service,
        cache: TaskCache[FirstMessage],
        *,
        parallelism: int,
        clock: Clock,
        note: Callable[..., None] = lambda _, **__: None,
    ) -> None:
        self.service, self.cache, self.kept = service, cache, Kept()
        self.known = KnownTasks(service)
        self.unknown: dict[str, dict[str, datetime | None]] = {}
        self.clock, self.note, self._parallelism = clock, note, parallelism

    def begin(self) -> tuple[Identity, Clocks]:
        """The identity, and the clocks before anything else is read. Raises RemoteError."""
        identity = self.service.identity()
        clocks = Clocks(self.clock.now(), self.clock.boot(), self.service.service_clock())
        return identity, clocks

    def read(
        self,
        identity: Identity,
        clocks: Clocks,
        needs: Sequence[Need],
        advance: Advance | None = None,
    ) -> Facts:
        """Reads what is needed; `identity` and `clocks` are from `begin`.

        An organization that cannot be read is `refused`. Raises RemoteError if none can be read.
        """
        found, self.kept = _Findings(), Kept()
        errors: dict[str, RemoteError] = {}
        with ThreadPoolExecutor(self._parallelism, "read") as pool:
            for need in needs:
                organization = _Organization(self, need, identity, clocks, found, pool, advance)
                try:
                    organization.read()
                except RemoteError as problem:
                    errors[need.org_name] = problem
        self.cache.save()
        if needs and len(errors) == len(needs):
            raise errors[min(errors)]
        found.refused |= {org_name: error.causes for org_name, error in errors.items()}
        for org_name in errors:
            found.lists.pop(org_name, None)
        hidden = {org_name for org_name, error in errors.items() if error.is_refusal}
        ignored = self.service.ignored_date()
        return Facts(identity, clocks, hidden=hidden, ignored_date=ignored, **vars(found))


def _newest_first(tasks: Mapping[str, datetime | None]) -> dict[str, datetime | None]:
    return dict(sorted(tasks.items(), key=lambda task: task[1] or _NEVER, reverse=True))


class _Listed(NamedTuple):
    """The part of a list that was read, newest first: the IDs, with the times of creation.
    `is_whole`: to its end."""

    tasks: dict[str, datetime | None]
    pages: int
    is_whole: bool


@dataclass(slots=True)
class _Organization:
    """Reads what is needed from one organization.

    `missing` are the requested IDs that were not found yet, `unknown` the listed tasks that the
    state does not know.
    """

    survey: Survey
    need: Need
    identity: Identity
    clocks: Clocks
    found: _Findings
    pool: ThreadPoolExecutor
    advance: Advance | None
    missing: set[str] = field(default_factory=set)
    unknown: dict[str, datetime | None] = field(default_factory=dict)
    problem: Arg | None = None
    is_deep: bool = False

    def read(self) -> None:
        need = self.need
        self.missing.update(need.ids)
        listed = self._read_lists() if need.explains else None
        is_listed = listed is not None or len(need.ids) > FEW
        if listed is None and is_listed:
            self._read_list(self.survey.service.list_tasks(need.org_name))
        self._read_missing(is_listed=is_listed)
        if listed is not None:
            self._explain(listed)

    def _read_lists(self) -> dict[str, datetime | None]:
        """Reads the list, twice if it has pages: a task that leaves the list meanwhile moves the
        others up, so that one of them may be on no page."""
        org_name, service = self.need.org_name, self.survey.service
        before = self.survey.unknown.get(org_name, {})
        try:
            first = self._read_list(service.list_tasks(org_name))
            listed = first.tasks
            if first.pages > 1:
                again = self._read_list(service.list_tasks(org_name)).tasks
                listed = _newest_first({**listed, **again})
        finally:
            self.unknown = _newest_first(self.unknown)
            self.survey.unknown[org_name] = _newest_first({**before, **self.unknown})
        last = None if first.is_whole else min(filter(None, listed.values()), default=None)
        reached = tuple(i for i, at in before.items() if last is None or at is None or at > last)
        for known, is_whole in ((reached, True), (self.need.known, first.is_whole)):
            if self.problem is None:
                lacks = self.survey.known.contradiction(
                    org_name, known, listed, self.pool, is_whole=is_whole
                )
                self.problem = remark("list.lacks", task_id=lacks) if lacks is not None else None
        return listed

    def _read_list(self, pages: Iterator[TaskPage]) -> _Listed:
        """Reads the list, newest first, only as far as necessary."""
        read, is_whole, self.is_deep = 0, True, False
        listed: dict[str, datetime | None] = {}
        for page in pages:
            read += 1
            if page.problem is not None:
                self.problem = page.problem.cause
            for task in page:
                if self._add(task, listed):
                    self.survey.kept.keep(task.raw)
                listed[task.id] = task.created_at
            if self._is_enough(page, len(listed)):
                is_whole = False
                break
        return _Listed(listed, read, is_whole)

    def _add(self, task: RemoteTask, listed: Collection[str]) -> bool:
        """Adds a listed task if it is new and needed."""
        need, task_id = self.need, TaskId(task.org_name, task.id)
        is_needed = task.id in self.missing
        self.missing.discard(task.id)
        is_excluded = need.depth.excludes(task.id, task.created_at, listed)
        if need.explains and task.id not in need.explained and not is_excluded:
            self.unknown[task.id] = task.created_at
            is_needed = True
        if not is_needed or task_id in self.found.tasks:
            return False
        self.found.tasks[task_id] = task
        return True

    def _is_enough(self, page: TaskPage, listed: int) -> bool:
        """Whether no further page is needed. At least as many tasks are read as the baseline has,
        so that known tasks are missing if the service cuts the list short."""
        depth, explains = self.need.depth, self.need.explains
        is_deep = not explains or any(depth.is_reached(t.id, t.created_at) for t in page)
        self.is_deep = self.is_deep or is_deep
        if explains and listed < len(depth.ids):
            return False
        return self.is_deep and len(self.missing) <= FEW

    def _read_missing(self, *, is_listed: bool) -> None:
        """Reads the tasks that are not in the list."""
        org_name, survey = self.need.org_name, self.survey
        by_id = TasksById(survey.service, org_name, self.pool, survey.kept)
        self._add_missing(by_id.get(self.missing))
        self._add_missing(by_id.get_absent(self.missing, is_listed=is_listed))
        absent = self.missing - by_id.refused
        self.found.absent.update(TaskId(org_name, task_id) for task_id in absent)

    def _add_missing(self, found: Mapping[TaskId, RemoteTask]) -> None:
        self.found.tasks.update(found)
        self.missing.difference_update(task.id for task in found)

    def _explain(self, listed: dict[str, datetime | None]) -> None:
        """Reads the first messages of the unknown tasks, oldest first."""
        org_name = self.need.org_name
        newest = newest_of(org_name, listed, self.identity)
        unknown = (*self._named(), *reversed(self.unknown))
        tasks = [TaskId(org_name, task_id) for task_id in unknown]
        unread = [task for task in tasks if not self._is_cached(task)]
        if len(unread) >= _MANY_MESSAGES:
            self.survey.note("reading_messages", count=len(unread), org=org_name)
        self.found.lists[org_name] = Listing(unknown, newest, self.problem, len(unread))
        shows = [TaskId(org_name, self.need.shows)] if self.need.shows else []
        self._read_messages([*shows, *(task for task in unread if task.id not in listed)])
        unread = [task for task in unread if task.id in listed]
        for start in range(0, len(unread), MESSAGES_AT_ONCE):
            part = unread[start : start + MESSAGES_AT_ONCE]
            self._read_messages(part)
            self.survey.cache.save()
            if self.advance is not None and part[-1] != unread[-1]:
                self.advance(self._up_to(part[-1], listed))
                done = len(self.found.messages)
                self.survey.note("read_messages", done=done, count=len(unread), org=org_name)

    def _named(self) -> list[str]:
        """The tasks that were requested by ID, that the list lacks, and that the state does not
        know."""
        ids = sorted(self.need.ids - self.unknown.keys() - {*self.need.explained})
        return [i for i in ids if TaskId(self.need.org_name, i) in self.found.tasks]

    def _up_to(self, last: TaskId, listed: Mapping[str, datetime | None]) -> Facts:
        """What is known about this organization up to a task."""
        listing = self.found.lists[self.need.org_name]
        end = listing.unknown.index(last.id) + 1
        older = list(listed)
        older = older[older.index(last.id) :]
        newest = newest_of(last.org_name, {i: listed[i] for i in older}, self.identity)
        part = listing.unknown[:end]
        lists = {last.org_name: Listing(part, newest, listing.unproven, len(part), is_part=True)}
        found = self.found
        return Facts(
            self.identity,
            self.clocks,
            tasks=found.tasks,
            messages=found.messages,
            unreadable=found.unreadable,
            failed=found.failed,
            lists=lists,
        )

    def _is_cached(self, task: TaskId) -> bool:
        message = self.survey.cache.get(task)
        if message is not None:
            self.found.messages[task] = message
        return message is not None

    def _read_messages(self, tasks: Sequence[TaskId]) -> None:
        """Reads first messages concurrently."""
        for task, answer in zip(tasks, self.pool.map(self._first_message, tasks), strict=True):
            shown = self.found.tasks.get(task)
            made = shown.created_at if shown is not None else None
            is_settled = made is not None and made <= self.need.settled_before
            if isinstance(answer, RemoteError):
                self.found.unreadable[task] = answer.causes
                if is_settled and not answer.is_refusal:
                    self.found.failed.add(task)
            elif answer is None and not is_settled:
                self.found.unreadable[task] = (remark("message.none"),)
            else:
                self.found.messages[task] = answer
                if answer is not None and is_settled:
                    self.survey.cache.put(task, answer)

    def _first_message(self, task: TaskId) -> FirstMessage | RemoteError | None:
        """The first message, or why it cannot be read."""
        try:
            found = self.survey.service.first_message(task.org_name, task.id)
            self.survey.kept.keep(found)
        except RemoteError as problem:
            return problem
        return found
