"""Finds duplicates: second tasks with one of our marks, because a create request was delivered
twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple

from reconciler.apply.context import ApplyContext
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, RemoteError, warning
from reconciler.model.kept import Kept
from reconciler.model.mark import microseconds
from reconciler.model.remarks import Remark, remark
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.plan.adoption import duplicate_warning
from reconciler.plan.lookup import Depth
from reconciler.plan.view import known_ids
from reconciler.state.model import Record

MAX_SECONDS = 60.0
"""The time, at the end of an apply, after which no further read starts."""

_NAMED = 3

_PAUSE = 1.0
"""Seconds until a list is read again."""


class Search(NamedTuple):
    """The `listed` tasks, and a warning for each duplicate, and for each organization with
    unreadable data."""

    listed: list[RemoteTask]
    warnings: list[Diagnostic]


def find_duplicates(
    ctx: ApplyContext, created: Collection[TaskRef], marks: Collection[str], parallelism: int
) -> Search:
    """Looks for further tasks with the `marks` of this apply, in the organizations of the `created`
    keys. Unreadable data does not hide other duplicates."""
    result, ends = Search([], []), ctx.clock.boot() + MAX_SECONDS
    with ThreadPoolExecutor(parallelism, "duplicates") as pool:
        for org_name in sorted({ref.org_name for ref in created}):
            refs = [ref for ref in created if ref.org_name == org_name]
            search = _Organization(ctx, org_name, ends, pool)
            new = search.list_new()
            result.listed.extend(search.listed.values())
            result.warnings.extend(search.duplicates(new, _owners(ctx, refs, marks)))
            result.warnings.extend(search.unread())
    return result


def _owners(
    ctx: ApplyContext, refs: Iterable[TaskRef], marks: Collection[str]
) -> dict[int, Record]:
    """The records of the keys by their marks of this apply, in microseconds."""
    records = ctx.session.state.records
    return {
        us: records[ref]
        for ref in refs
        for mark in (records[ref].marks if ref in records else ())
        if mark in marks and (us := microseconds(mark)) is not None
    }


class _Organization:
    """The search in one organization, until `ends` (seconds since boot)."""

    def __init__(self, ctx: ApplyContext, org_name: str, ends: float, pool: Executor) -> None:
        self._ctx, self._org_name, self._ends, self._pool = ctx, org_name, ends, pool
        self._unlisted: Sequence[Remark] = ()
        self._unread: dict[str, Sequence[Remark]] = {}
        self.listed: dict[str, RemoteTask] = {}

    def list_new(self) -> Collection[RemoteTask]:
        """Reads the list down to the tasks that existed before this apply, and returns the newer
        tasks. It is read again while a known task that it lacks is younger than the settle time."""
        ctx, new = self._ctx, dict[str, RemoteTask]()
        baselines = [each for each in [ctx.baselines.get(self._org_name)] if each is not None]
        known = known_ids(self._org_name, baselines, ctx.session.state, ctx.identity)
        while True:
            is_whole = self._list(Depth.of(*baselines), new)
            if self._unlisted:
                return new.values()
            missing = ctx.known.unlisted(
                self._org_name, known, self.listed, self._pool, is_whole=is_whole
            )
            if missing is None:
                return new.values()
            left = missing.seconds_left(ctx.clocks().moment, ctx.settle_time)
            if left <= 0 or self._has_ended():
                self._unlisted = (missing.why,)
                return new.values()
            ctx.wait(min(_PAUSE, left))

    def _list(self, depth: Depth, new: dict[str, RemoteTask]) -> bool:
        """Adds the listed tasks, and those that are `new`. Returns whether the list was read to its
        end."""
        seen, kept = set[str](), Kept()
        try:
            for page in self._ctx.service.list_tasks(self._org_name):
                for task in page:
                    kept.keep(task.raw)
                    seen.add(task.id)
                    self.listed[task.id] = task
                    if not depth.excludes(task.id, seen):
                        new[task.id] = task
                if page.problem is not None:
                    self._unlisted = (page.problem.cause,)
                if depth.is_reached(seen):
                    return False
                if self._has_ended():
                    self._unlisted = (remark("duplicates.ended"),)
                    return False
        except RemoteError as problem:
            self._unlisted = problem.causes
        return True

    def duplicates(
        self, tasks: Iterable[RemoteTask], owners: Mapping[int, Record]
    ) -> Iterator[Diagnostic]:
        """The unexplained tasks that this user may have created and that have the mark of one of
        the `owners`."""
        state, identity = self._ctx.session.state, self._ctx.identity
        known = state.recorded_ids()
        unknown = [task for task in tasks if task.id not in known and task.may_be_of(identity)]
        marks = self._pool.map(self._mark, unknown)
        for task, us in zip(unknown, marks, strict=True):
            if us is not None and (record := owners.get(us)) is not None:
                ref, own = record.ref, record.task_id
                yield duplicate_warning(state.backend, ref, record.file, own, task.id)

    def unread(self) -> Iterator[Diagnostic]:
        """Warnings about unread messages and an unread list, which may hide a duplicate."""
        org_name, ids = self._org_name, tuple(self._unread)
        if ids:
            yield warning(
                Code.DUPLICATES_NOT_SEARCHED,
                "tasks",
                org=org_name,
                ids=ids[:_NAMED],
                count=len(ids),
                more=max(0, len(ids) - _NAMED),
                why=tuple(self._unread[ids[0]]),
            )
        if self._unlisted:
            yield warning(Code.DUPLICATES_NOT_SEARCHED, org=org_name, why=tuple(self._unlisted))

    def _mark(self, task: RemoteTask) -> int | None:
        """The mark in microseconds; None if the first message cannot be read."""
        why: Sequence[Remark] = (remark("duplicates.ended"),)
        if not self._has_ended():
            try:
                found = self._ctx.service.first_message(task.org_name, task.id)
            except RemoteError as problem:
                why = problem.causes
            else:
                if found is not None:
                    return microseconds(found.mark)
                why = (remark("duplicates.silent"),)
        self._unread[task.id] = why
        return None

    def _has_ended(self) -> bool:
        return self._ctx.clock.boot() >= self._ends or not self._ctx.wait(0)
