"""A task's events as they happen, read again every few seconds until the task has finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from reconciler.app.task_reader import TaskReader
from reconciler.model.kept import Kept
from reconciler.remote.client import Client
from reconciler.tasks.events import Event, EventSummary, advance, event_id
from reconciler.tasks.status import state_of

POLL_SECONDS = 2.0


def follow(
    client: Client,
    reader: TaskReader,
    org_name: str,
    task_id: str,
    sleep: Callable[[float], None],
) -> Iterator[Event]:
    """All events of a task until it has finished; `sleep` is in seconds. RemoteError, also for too
    much that is open."""
    seen: set[int] = set()
    on_page: set[int] = set()
    summary, token, kept, size = EventSummary(), None, Kept("open"), 0
    while True:
        remote = client.get_task(org_name, task_id)
        # The events are read after the status, so that an idle task's last ones are included.
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
