"""Reads the facts for plans: the only requests that plans need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache

from reconciler.app.context import Context
from reconciler.app.expectations import Evaluation
from reconciler.model.diagnostics import (
    RemoteError,
)
from reconciler.model.service import RemoteTask
from reconciler.model.task import Expectation, TaskRef
from reconciler.model.task_state import TaskState
from reconciler.model.value import replace
from reconciler.plan.facts import Facts
from reconciler.plan.needs import need_to_explain, needs
from reconciler.plan.progress import Followed, TaskProgress
from reconciler.plan.steps import Inputs, followed_by, left_by
from reconciler.state.model import Record
from reconciler.tasks.status import TaskStatus, open_requests


class Reader:
    """Makes the requests of all plans of a command, or of a wave. A result is evaluated only once,
    and a budget is requested only once. `listed` are the IDs that were read so far, by
    organization; `tasks` are the tasks, the latest last."""

    def __init__(self, ctx: Context) -> None:
        self._ctx, self._evaluation = ctx, Evaluation()
        self.survey, self.budget = ctx.survey(), cache(ctx.budget)
        self.listed: dict[str, set[str]] = {}
        self.tasks: list[RemoteTask] = []

    def read(
        self,
        inputs: Inputs,
        *,
        only_own: bool = False,
        advance: Callable[[Facts], None] | None = None,
    ) -> Facts:
        """The facts for a plan. For `only_own`, see `needs`; for `advance`, `Survey.read`. Raises
        RemoteError."""
        identity, clocks = self.survey.begin()
        asked = needs(
            inputs.selected,
            inputs.state,
            identity,
            inputs.options,
            clocks,
            organizations=inputs.selection.organizations,
            only_own=only_own,
        )
        facts = self._noted(self.survey.read(identity, clocks, asked, advance))
        return self._with_progress(inputs, facts)

    def read_attempts(self, inputs: Inputs) -> Facts:
        """The facts about open attempts alone. Raises RemoteError."""
        identity, clocks = self.survey.begin()
        orgs = inputs.selection.organizations
        asked = needs((), inputs.state, identity, inputs.options, clocks, organizations=orgs)
        return self._noted(self.survey.read(identity, clocks, asked))

    def read_organizations(self, inputs: Inputs, names: Iterable[str]) -> Facts:
        """The facts that explain organizations. Raises RemoteError."""
        identity, clocks = self.survey.begin()
        before = clocks.moment - inputs.options.settle_time
        asked = [need_to_explain(name, inputs.state, identity, before) for name in sorted(names)]
        return self._noted(self.survey.read(identity, clocks, asked))

    def statuses(self, records: Sequence[Record]) -> Sequence[TaskStatus]:
        """The current status of recorded tasks. Raises RemoteError."""
        if not records:
            return ()
        return self._ctx.fresh_reader.statuses(records, self._ctx.connection.parallelism)

    def _noted(self, facts: Facts) -> Facts:
        self.tasks += facts.tasks.values()
        for org_name, listing in facts.lists.items():
            ids = {*listing.unknown, *listing.newest.ids}
            self.listed.setdefault(org_name, set()).update(ids)
        return facts

    def _with_progress(self, inputs: Inputs, facts: Facts) -> Facts:
        """The facts, with the progress of what missing tasks depend on. Raises RemoteError."""
        tasks = followed_by(inputs)
        followed = self._followed(tasks)
        now, expected = self._ctx.now(), {task.record.ref: task.expect for task in tasks}
        progress = {status.ref: _task_progress(status, now) for status in followed}
        done = {
            status.task_id: expect.digest if (expect := expected[status.ref]) else ""
            for status in followed
            if status.state is TaskState.DONE and status.task_id
        }
        known = {status.ref: status.state for status in followed}
        others = [task for task in left_by(inputs) if task.record.ref not in known]
        return replace(facts, progress=progress, left=known | self._left(others), done=done)

    def _followed(self, tasks: Sequence[Followed]) -> Sequence[TaskStatus]:
        """The tasks that a missing task may have to wait for. Raises RemoteError."""
        try:
            statuses = self.statuses([task.record for task in tasks])
        except RemoteError as problem:
            if not problem.is_refusal:
                raise
            return ()  # their records determine their progress
        return self._evaluation.of_all(statuses, _expected(tasks))

    def _left(self, tasks: Sequence[Followed]) -> dict[TaskRef, TaskState]:
        """The states by key, without unreadable tasks."""
        statuses = self._each([task.record for task in tasks])
        return {s.ref: s.state for s in self._evaluation.of_all(statuses, _expected(tasks))}

    def _each(self, records: Sequence[Record]) -> Sequence[TaskStatus]:
        try:
            return self.statuses(records)
        except RemoteError:
            apart = ([record] for record in records) if len(records) > 1 else ()
            return [status for each in apart for status in self._each(each)]


def _expected(tasks: Sequence[Followed]) -> dict[TaskRef, Expectation]:
    return {task.record.ref: task.expect for task in tasks if task.expect is not None}


def _task_progress(status: TaskStatus, now: datetime) -> TaskProgress:
    """The progress of a task, and the time since which it has been running or waiting for a
    person."""
    since = status.created_at if status.state is TaskState.RUNNING else None
    if status.state is TaskState.TO_MERGE:
        since = status.summary.at
    if status.state is TaskState.WAITING:
        since = next((request.since for request in open_requests(status)), None)
    seconds = None if since is None else max(0, int((now - since).total_seconds()))
    return TaskProgress(status.state, seconds)
