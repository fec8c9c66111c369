"""A task's events as they happen, read again every few seconds until the task has finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from reconciler.app.task_reader import TaskReader
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
    """All events of a task until it has finished; `sleep` is in seconds. RemoteError."""
    seen: set[int] = set()
    summary, token = EventSummary(), None
    while True:
        remote = client.get_task(org_name, task_id)
        # The events are read after the status, so that an idle task's last ones are included.
        for page, at in reader.event_pages(org_name, task_id, token):
            token = at
            for event in page:
                known = hash(event_id(event) or json.dumps(event, sort_keys=True))
                if known not in seen:
                    seen.add(known)
                    summary = advance(summary, [event])
                    yield event
        if remote is None or state_of(remote.raw, summary).is_finished:
            return
        sleep(POLL_SECONDS)
