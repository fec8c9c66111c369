"""`status`: the status of recorded tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from reconciler.app.context import Context
from reconciler.app.done_tasks import statuses_without_texts
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value
from reconciler.tasks.status import News, TaskStatus, find_news

NOTIFY_URL = "TASKCTL_NOTIFY_URL"
"""Only the environment names it: a repository must not choose where its tasks are reported."""


class StatusReport(Value, frozen=True):
    """The tasks in the order of the table, at `read_at`; `selected` counts those of any status.
    `diagnostics` are about expectations that cannot be read."""

    statuses: tuple[TaskStatus, ...]
    read_at: datetime
    selected: int
    diagnostics: tuple[Diagnostic, ...] = ()


class Notify(Value, frozen=True):
    """What to send: news within the time `since`, in the words of `text`, which also gets the
    time now. An empty text is not sent."""

    since: timedelta
    text: Callable[[News, datetime], str]


def status(
    ctx: Context,
    selectors: Sequence[str],
    *,
    states: Collection[TaskState] = (),
    notify: Notify | None = None,
) -> StatusReport:
    """The status of the selected tasks that have one of `states`, if given. `notify`: also sends
    what is new to the webhook that the environment names. TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    statuses = tasks.statuses(refs) if notify is None else statuses_without_texts(tasks, refs)
    if states:
        statuses = tuple(status for status in statuses if status.state in states)
    problems = tuple(dict.fromkeys(tasks.expectations.problems))
    report = StatusReport(statuses, ctx.now(), len(refs), problems)
    if notify is not None:
        _notify(tasks, report, notify)
    return report


def _notify(tasks: RecordedTasks, report: StatusReport, notify: Notify) -> None:
    """Sends one message if there is any news. A failure is only a note: a scheduled job that
    watches tasks must not fail because of a webhook."""
    from reconciler.remote.notification import send_notification

    ui = tasks.ctx.ui
    url = os.environ[NOTIFY_URL].strip()
    found = find_news(report.statuses, report.read_at - notify.since)
    text = notify.text(found, report.read_at)
    if not text:
        return
    why = send_notification(url, text)
    if why is None:
        ui.note("notified", waiting=len(found.waiting), failed=len(found.failed))
    else:
        ui.note("not_notified", why=why)
