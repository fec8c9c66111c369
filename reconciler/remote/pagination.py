"""Reads lists page by page, checking that they end and that the task list is in order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from reconciler.model import limits, wire
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError, error
from reconciler.model.service import TaskPage
from reconciler.model.work import REDACTED

Page = tuple[list[object], str | None]
"""Entries, and the token of the next page (None after the last)."""

ReadPage = Callable[[str | None], Page]
"""Reads the page with a token (None: the first)."""

TASK_QUERY = {"sortBy": "created", "sortDirection": "desc"}
"""The order in which the list is requested: the default order changes while the list is read."""


def event_pages(
    read: ReadPage,
    where: str = "",
    *,
    first: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Page]:
    """The pages of a task's events, read as needed, from the page with token `first` (None: the
    first) on. `where` is for messages. Raises the errors of `read`, and RemoteError for a list that
    does not end.

    A page can take 50 MiB of memory, and the events of several tasks are read concurrently. So
    callers must delete a page, too, before they request the next."""
    return _pages(read, where, first, (limits.EVENT_PAGES, limits.EVENT_SECONDS), clock)


def list_pages(
    read: ReadPage, where: str = "", *, clock: Callable[[], float] = time.monotonic
) -> Iterator[Page]:
    """The pages of the task list, as `event_pages`."""
    return _pages(read, where, None, (limits.LIST_PAGES, limits.LIST_SECONDS), clock)


def _pages(
    read: ReadPage,
    where: str,
    token: str | None,
    most: tuple[int, float],
    clock: Callable[[], float],
) -> Iterator[Page]:
    """`most` has the limits of pages and of seconds. Only the time of `read` counts, not the time
    in which the caller uses the pages. Stores only the hashes of tokens, which may be long."""
    tokens: set[int] = set()
    spent = 0.0

    def endless(case: str, count: int) -> RemoteError:
        return RemoteError.of(Code.UNREADABLE_LIST, case, where=where, count=count)

    for number in itertools.count(1):
        if spent > most[1]:
            raise endless("slow", round(most[1]))
        begun = clock()
        page = read(token)
        spent += clock() - begun
        token = page[1]
        if token is not None and number >= most[0]:
            raise endless("long", most[0])
        if token is not None and hash(token) in tokens:
            raise endless("circle", number)
        tokens.add(hash(token))
        yield page
        del page
        if token is None:
            return


def task_pages(read: ReadPage, org_name: str, where: str) -> Iterator[TaskPage]:
    """The pages of a list requested with TASK_QUERY, newest first. A page with an unreadable entry
    or in the wrong order has a `problem`: it does not prove that a task is absent. Entries may
    repeat, because new tasks move others to a later page. Raises RemoteError."""
    seen: set[str] = set()
    previous: datetime | None = None
    for entries, _ in list_pages(read, where):
        tasks, problem = [], None
        for entry in entries:
            task = wire.remote_task(org_name, entry)
            if task is None or REDACTED in task.id:
                problem = problem or error(Code.UNREADABLE_LIST, "entry", where=where)
                continue
            tasks.append(task)
            created = task.created_at
            if created is None:
                problem = problem or error(Code.UNREADABLE_LIST, "entry", where=where)
            elif task.id not in seen:
                if previous is not None and created > previous:
                    problem = problem or error(Code.UNREADABLE_LIST, "order", where=where)
                seen.add(task.id)
                previous = created
        yield TaskPage(tuple(tasks), problem)
