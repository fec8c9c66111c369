"""Finds duplicates: further tasks with one of our marks, because a create was delivered twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from reconciler.apply.context import ApplyContext
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, RemoteError, warning
from reconciler.model.kept import Kept
from reconciler.model.mark import microseconds
from reconciler.model.remarks import Remark, remark
from reconciler.model.remote_task import RemoteTask
from reconciler.model.task import TaskRef
from reconciler.plan.duplicates import duplicate_warning
from reconciler.plan.lookup import Depth
from reconciler.plan.plan import PlannedTask
from reconciler.state.attempt import Duplicate
from reconciler.state.model import Duplicated, Record, State

MAX_SECONDS = 60.0
"""For how long an apply starts to read at its end."""

_NAMED = 3


class Search(NamedTuple):
    """The tasks that were `listed`; a warning for each duplicate, and for each organization in
    which something could not be read."""

    listed: list[RemoteTask]
    warnings: list[Diagnostic]


def find_duplicates(ctx: ApplyContext, created: Collection[TaskRef], parallelism: int) -> Search:
    """Looks for duplicates in the organizations of the `created` keys, and adds them to the state.
    What cannot be read hides no other duplicate."""
    result, ends = Search([], []), ctx.clock.boot() + MAX_SECONDS
    for org_name in sorted({ref.org_name for ref in created}):
        search = _Organization(ctx, org_name, ends)
        tasks = search.listed()
        result.listed.extend(tasks)
        for duplicate in search.duplicates(tasks, parallelism):
            ctx.session.append(Duplicated(duplicate))
            result.warnings.append(duplicate_warning(duplicate, ctx.session.state))
        result.warnings.extend(search.unread())
    return result


def found_duplicates(ctx: ApplyContext, tasks: Iterable[PlannedTask]) -> Iterator[Diagnostic]:
    """A warning for each duplicate that was found with the task that an attempt has created."""
    state = ctx.session.state
    for task in tasks:
        listed = (each for each in task.duplicates if each.task_id in state.duplicates)
        yield from (duplicate_warning(duplicate, state) for duplicate in listed)


class _Organization:
    """The search in one organization, until `ends` (seconds since boot)."""

    def __init__(self, ctx: ApplyContext, org_name: str, ends: float) -> None:
        self._ctx, self._org_name, self._ends = ctx, org_name, ends
        self._baseline = ctx.baselines.get(org_name)
        self._unlisted: Sequence[Remark] = ()
        self._unread: dict[str, Sequence[Remark]] = {}

    def listed(self) -> list[RemoteTask]:
        """The list down to the tasks that existed before this apply."""
        depth, found, kept = Depth.of(self._baseline), dict[str, RemoteTask](), Kept()
        try:
            for page in self._ctx.service.list_tasks(self._org_name):
                for task in page:
                    kept.keep(task.raw)
                    found[task.id] = task
                if page.problem is not None:
                    self._unlisted = (page.problem.cause,)
                if depth.is_reached(found):
                    break
                if self._has_ended():
                    self._unlisted = (remark("duplicates.ended"),)
                    break
        except RemoteError as problem:
            self._unlisted = problem.causes
        return list(found.values())

    def duplicates(self, tasks: Iterable[RemoteTask], parallelism: int) -> Iterator[Duplicate]:
        """The unrecorded ones of these tasks that have the mark of a recorded key, and that this
        user may have created."""
        state, identity = self._ctx.session.state, self._ctx.identity
        known = state.recorded_ids()
        before = frozenset(self._baseline.ids if self._baseline is not None else ())
        new = (task for task in tasks if task.id not in known and task.id not in before)
        unknown = [task for task in new if task.may_be_of(identity)]
        owners = self._owners(state) if unknown else {}
        with ThreadPoolExecutor(parallelism, "duplicates") as pool:
            marks = pool.map(self._mark, unknown)
            for task, us in zip(unknown, marks, strict=True):
                owner = owners.get(us) if us is not None else None
                if owner is not None:
                    mark, record = owner
                    ref, file, sensitive = record.ref, record.file, record.sensitive
                    yield Duplicate(ref, task.id, mark, identity, file, sensitive=sensitive)

    def _owners(self, state: State) -> dict[int, tuple[str, Record]]:
        """The marks of recorded keys, by their time in microseconds."""
        return {
            us: (mark, record)
            for mark, ref in state.marks()
            if ref.org_name == self._org_name
            and mark not in state.attempts
            and (record := state.records.get(ref)) is not None
            and (us := microseconds(mark)) is not None
        }

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
        """In microseconds; None if the first message cannot be read."""
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
