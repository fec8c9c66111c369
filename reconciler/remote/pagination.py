"""Reads lists page by page, checking that they end and that the task list is in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from datetime import datetime

from reconciler.model import limits, wire
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError, error
from reconciler.model.service import TaskPage
from reconciler.model.work import REDACTED

Page = tuple[list[object], str | None]
"""Entries, and the token of the next page (None after the last)."""

ReadPage = Callable[[str | None, Callable[[], bool]], Page]
"""Reads the page with a token (None: the first). Stops retrying once its second argument returns
True."""

TASK_QUERY = {"sortBy": "created", "sortDirection": "desc"}
"""The service's default order changes while the list is read."""


class _Guard:
    """Raises RemoteError for a list that does not end after `most` pages. Stores digests only."""

    def __init__(self, where: str, most: int) -> None:
        self._where, self._most = where, most
        self._tokens: set[int] = set()
        self._read = 0

    def check(self, token: str) -> None:
        self._read += 1
        if self._read >= self._most:
            raise self._error("long", self._most)
        if hash(token) in self._tokens:
            raise self._error("circle", self._read)
        self._tokens.add(hash(token))

    def check_time(self, spent: float, most: float) -> None:
        if spent > most:
            raise self._error("slow", round(most))

    def _error(self, case: str, count: int) -> RemoteError:
        return RemoteError.of(Code.UNREADABLE_LIST, case, where=self._where, count=count)


def event_pages(
    read: ReadPage,
    where: str = "",
    *,
    first: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[Page, None, None]:
    """The pages of a task's events from the one with token `first` on, read as needed; `where` is
    for messages. Raises the errors of `read`, and RemoteError for a list that does not end. Only
    the time of reading counts, not the time in which the pages are used.

    A page can take 50 MiB of memory, and the events of several tasks are read at once. So each
    page is deleted, here and by callers, before the next is read."""
    guard, token, spent = _Guard(where, limits.EVENT_PAGES), first, 0.0
    while True:
        guard.check_time(spent, limits.EVENT_SECONDS)
        begun = clock()
        page = read(token, lambda: False)
        spent += clock() - begun
        token = page[1]
        if token is not None:
            guard.check(token)
        yield page
        del page
        if token is None:
            return


def pages_ahead(
    read: ReadPage, where: str = "", *, clock: Callable[[], float] = time.monotonic
) -> Generator[list[object], None, None]:
    """The entries page by page; the next page is requested while the current one is processed.

    If the caller stops early, at most one request is left, which ends by itself. Raises as
    `event_pages` does.
    """
    stopped, guard, spent = threading.Event(), _Guard(where, limits.LIST_PAGES), 0.0

    def timed(token: str | None, is_over: Callable[[], bool]) -> Page:
        nonlocal spent  # one page is read at a time
        begun = clock()
        page = read(token, is_over)
        spent += clock() - begun
        return page

    entries, token = timed(None, stopped.is_set)
    try:
        while token is not None:
            guard.check(token)
            guard.check_time(spent, limits.LIST_SECONDS)
            following = _in_background(timed, token, stopped)
            yield entries
            entries, token = following.result()
        yield entries
    finally:
        stopped.set()


def _in_background(read: ReadPage, token: str, stopped: threading.Event) -> Future[Page]:
    """Reads a page in a daemon thread; an executor's threads would delay the exit."""
    future: Future[Page] = Future()

    def run() -> None:
        try:
            future.set_result(read(token, stopped.is_set))
        except BaseException as exc:  # noqa: BLE001 - `result` raises it
            future.set_exception(exc)

    threading.Thread(target=run, name="taskctl-page-ahead", daemon=True).start()
    return future


def task_pages(read: ReadPage, org_name: str, where: str) -> Iterator[TaskPage]:
    """The pages of a list requested with TASK_QUERY, newest first. A page with an unreadable entry
    or in the wrong order has a `problem`: it does not prove that a task is absent. Entries may
    repeat, because new tasks move others to a later page. Raises RemoteError."""
    seen: set[str] = set()
    previous: datetime | None = None
    for entries in pages_ahead(read, where):
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
