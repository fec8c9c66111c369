"""What has happened to tasks lately that a person should know: they ask, or they failed. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reconciler.tasks.open_requests import OpenRequest, open_requests
from reconciler.tasks.status import TaskState, TaskStatus

_FAILED = (TaskState.FAILED, TaskState.STOPPED)


@dataclass(frozen=True, slots=True)
class News:
    """`waiting` are requests, `failed` tasks."""

    waiting: tuple[OpenRequest, ...] = ()
    failed: tuple[TaskStatus, ...] = ()


def news(statuses: Iterable[TaskStatus], since: datetime) -> News:
    """What is newer than `since`. What has no time counts as new: better told twice than never."""
    known = list(statuses)
    asked = (request for status in known for request in open_requests(status))
    return News(
        tuple(r for r in asked if r.since is None or r.since >= since),
        tuple(
            s
            for s in known
            if s.state in _FAILED and (s.summary.at is None or s.summary.at >= since)
        ),
    )
