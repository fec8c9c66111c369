"""`logs`: the conversation of a task, also while it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.app.import_selection import since_when
from reconciler.app.task_sessions import TaskSessions
from reconciler.state.edit import find
from reconciler.tasks.conversation import Conversation, Entry
from reconciler.tasks.events import moment_of

if TYPE_CHECKING:
    from reconciler.state.model import Record
    from reconciler.tasks.events import Event


def logs(
    ctx: Context, key: str, *, follow: bool, since: str | None
) -> Iterator[tuple[Event, tuple[Entry, ...]]]:
    """Each event with what it says to a reader, not older than `since`. With `follow`, until the
    task has nothing left to do. TaskctlError."""
    tasks = TaskSessions.open(ctx)
    record = tasks.record(find(tasks.state, key))
    begin = None if since is None else since_when(since, ctx.now())
    conversation = Conversation()
    for event in _events(tasks, record, follow=follow):
        entries = tuple(conversation.entries(event))
        at = moment_of(event)
        if begin is None or at is None or at >= begin:
            yield event, entries


def _events(tasks: TaskSessions, record: Record, *, follow: bool) -> Iterator[Event]:
    """TaskctlError if the service does not show the task to this token."""
    ctx, org_name = tasks.ctx, record.ref.org_name
    if ctx.client.get_task(org_name, record.task_id) is None:
        raise tasks.not_visible(record)
    if not follow:
        yield from ctx.reader.events(org_name, record.task_id, None)[0]
        return
    from reconciler.remote.event_stream import EventStream

    yield from EventStream(ctx.client, ctx.reader, time.sleep).events(org_name, record.task_id)
