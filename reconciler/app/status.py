"""`status`: the status of recorded tasks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.app.context import Context
from reconciler.app.task_sessions import TaskSessions, select_refs
from reconciler.app.wait import SHORTEST_PAUSE
from reconciler.messages.notes import Note
from reconciler.model.task import TaskRef
from reconciler.tasks.open_requests import find_news
from reconciler.tasks.status import SETTLED, TaskState, TaskStatus, exit_code

NOTIFY_URL = "TASKCTL_NOTIFY_URL"
"""Only the environment names it: a repository must not choose where its tasks are reported."""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The tasks in the table's order, as they were `read_at`, of the `selected` ones."""

    statuses: tuple[TaskStatus, ...]
    read_at: datetime
    selected: int

    @property
    def code(self) -> int:
        """What `--exit-code` exits with."""
        return exit_code(self.statuses)

    @property
    def is_settled(self) -> bool:
        return all(status.state in SETTLED for status in self.statuses)


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """`words` select tasks; `states`, if given, those with such a status. `watch`: read again each
    `interval` until all tasks are settled. `notify`: send what is newer than that to the webhook
    that the environment names."""

    words: tuple[str, ...] = ()
    states: frozenset[TaskState] = frozenset()
    watch: bool = False
    interval: timedelta = timedelta(seconds=2)
    notify: timedelta | None = None


def status(ctx: Context, request: StatusRequest) -> Iterator[StatusReport]:
    """One report, or one after the other with `watch`. TaskctlError."""
    tasks = TaskSessions.open(ctx, request.words)
    refs = select_refs(ctx, tasks.state, request.words)
    while True:
        report = _report(tasks, refs, request)
        if request.notify is not None:
            _notify(tasks, report, request.notify)
        yield report
        if not request.watch or report.is_settled:
            return
        time.sleep(max(SHORTEST_PAUSE, request.interval.total_seconds()))


def _report(tasks: TaskSessions, refs: Sequence[TaskRef], request: StatusRequest) -> StatusReport:
    found = tasks.statuses(refs)
    if request.states:
        found = tuple(status for status in found if status.state in request.states)
    return StatusReport(found, tasks.ctx.now(), len(refs))


def _notify(tasks: TaskSessions, report: StatusReport, newer: timedelta) -> None:
    """Sends one message if there is any news. That it failed is only a note: a schedule that
    watches tasks must not fail because of a webhook."""
    from reconciler.remote.notification import send_notification
    from reconciler.render.notification import notification_text

    ui = tasks.ctx.ui
    url = os.environ.get(NOTIFY_URL, "").strip()
    if not url:
        ui.note(Note.NO_NOTIFY_URL, name=NOTIFY_URL)
        return
    found = find_news(report.statuses, report.read_at - newer)
    sensitive = {ref for ref, record in tasks.state.records.items() if record.sensitive}
    text = notification_text(found, sensitive, report.read_at)
    if not text:
        return
    why = send_notification(url, text)
    if why is None:
        ui.note(Note.NOTIFIED, waiting=len(found.waiting), failed=len(found.failed))
    else:
        ui.note(Note.NOT_NOTIFIED, why=why)
