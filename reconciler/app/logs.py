"""`logs`: the conversations of tasks, also while one goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.app.context import Context
from reconciler.app.import_selection import since_when
from reconciler.app.task_sessions import TaskSessions, select_refs
from reconciler.model.codes import Code
from reconciler.model.errors import TaskctlError
from reconciler.tasks.conversation import Conversation, ConversationEntry
from reconciler.tasks.events import time_of

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.model.task import TaskRef
    from reconciler.state.model import Record
    from reconciler.tasks.events import Event


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """`words` select tasks; only one can be followed. `since` is as the user typed it."""

    words: tuple[str, ...]
    follow: bool = False
    since: str | None = None
    single: bool = False


Conversations = list[tuple["TaskRef", Iterator[tuple["Event", tuple[ConversationEntry, ...]]]]]


def logs(ctx: Context, request: LogsRequest) -> Conversations:
    """The conversation of each selected task: events with what they say to a reader, not older than
    `since`. With `follow`, until the task has nothing left to do. TaskctlError."""
    tasks = TaskSessions.open(ctx, request.words)
    refs = select_refs(ctx, tasks.state, request.words)
    if len(refs) > 1 and (request.follow or request.single):
        case = "followOne" if request.follow else "logsOfOne"
        raise TaskctlError.of(Code.USAGE, case, count=len(refs))
    begin = None if request.since is None else since_when(request.since, ctx.now())
    return [
        (ref, _conversation(tasks, tasks.record(ref), begin, follow=request.follow)) for ref in refs
    ]


def _conversation(
    tasks: TaskSessions, record: Record, begin: datetime | None, *, follow: bool
) -> Iterator[tuple[Event, tuple[ConversationEntry, ...]]]:
    conversation = Conversation()
    for event in _events(tasks, record, follow=follow):
        entries = tuple(conversation.entries(event))
        at = time_of(event)
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
