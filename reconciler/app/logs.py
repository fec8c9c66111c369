"""`logs`: the conversations of tasks; with `--follow`, also what is added to them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.app.task_reader import TaskReader
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.kept import Kept
from reconciler.model.task import TaskRef
from reconciler.remote.client import Client
from reconciler.state.model import Record
from reconciler.tasks.conversation import Conversation, ConversationEntry
from reconciler.tasks.events import Event, EventSummary, advance, event_id
from reconciler.tasks.status import state_of

Entries = Iterator[tuple[Event, tuple[ConversationEntry, ...]]]
"""Each event of a conversation, and the entries that it adds."""


def logs(
    ctx: Context,
    selectors: Sequence[str],
    *,
    follow: bool = False,
    single: bool = False,
) -> list[tuple[TaskRef, Entries]]:
    """The conversation of each selected task; `follow`: until the task has finished. Raises
    TaskctlError, also if `follow` or `single` and several tasks are selected."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    if len(refs) > 1 and (follow or single):
        raise TaskctlError.of(Code.USAGE, "followOne" if follow else "logsOfOne", count=len(refs))
    return [(ref, _entries(tasks, tasks.record(ref), follow=follow)) for ref in refs]


def _entries(tasks: RecordedTasks, record: Record, *, follow: bool) -> Entries:
    conversation = Conversation()
    for event in _events(tasks, record, follow=follow):
        yield event, tuple(conversation.entries(event))


def _events(tasks: RecordedTasks, record: Record, *, follow: bool) -> Iterator[Event]:
    """The events of a task. Raises TaskctlError if the task is not visible to this token."""
    ctx, org_name = tasks.ctx, record.ref.org_name
    if ctx.client.get_task(org_name, record.task_id) is None:
        raise tasks.not_visible(record)
    if not follow:
        kept, events = Kept("logs"), list[Event]()
        for page, _ in ctx.reader.event_pages(org_name, record.task_id, None):
            kept.keep(page)
            events += page
        yield from events
        return
    yield from follow_events(ctx.client, ctx.reader, org_name, record.task_id, time.sleep)


POLL_SECONDS = 2.0


def follow_events(
    client: Client,
    reader: TaskReader,
    org_name: str,
    task_id: str,
    sleep: Callable[[float], None],
) -> Iterator[Event]:
    """All events of a task until it has finished; `sleep` is in seconds. Raises RemoteError, also
    if too much data is open."""
    seen: set[int] = set()
    on_page: set[int] = set()
    summary, token, kept, size = EventSummary(), None, Kept("open"), 0
    while True:
        remote = client.get_task(org_name, task_id)
        # The events are read after the status, so that an idle task's last events are included.
        for page, at in reader.event_pages(org_name, task_id, token):
            token, on_page = at, set()
            for event in page:
                known = hash(event_id(event) or json.dumps(event, sort_keys=True))
                on_page.add(known)
                if known not in seen:
                    seen.add(known)
                    summary = advance(summary, [event])
                    yield event
            size = kept.keep(summary, size)
        seen = on_page  # only the last page is read again
        if remote is None or state_of(remote.raw, summary).is_finished:
            return
        sleep(POLL_SECONDS)
