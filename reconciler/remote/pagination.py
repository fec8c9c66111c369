"""Reads lists page by page, and stops if a list does not end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from reconciler.model.codes import Code
from reconciler.model.errors import RemoteError, TaskctlError

Page = tuple[list[object], str | None]
"""Entries, and the token of the next page (None after the last)."""

ReadPage = Callable[[str | None, Callable[[], bool]], Page]
"""Reads the page with a token (None: the first). Stops retrying once its second argument returns
True."""

MOST_BARREN = 50
"""The maximum number of consecutive pages without a new entry."""


class _Guard:
    """Raises RemoteError for a list that does not end."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._tokens: set[str] = set()
        self._ids: set[object] = set()
        self._barren = 0

    def check(self, entries: list[object], token: str) -> None:
        if token in self._tokens:
            raise self._endless("circle")
        self._tokens.add(token)
        known = len(self._ids)
        self._ids.update(_id(entry) for entry in entries)
        self._barren = 0 if len(self._ids) > known else self._barren + 1
        if self._barren >= MOST_BARREN:
            raise self._endless("endless")

    def _endless(self, case: str) -> RemoteError:
        facts: Any = {"where": self._where, "pages": self._barren}
        return RemoteError.of(Code.UNREADABLE_LIST, case, **facts)


def _id(entry: object) -> str | None:
    found = entry.get("id") if isinstance(entry, Mapping) else None
    return found if isinstance(found, str) else None


def pages(
    read: ReadPage, where: str = "", *, first: str | None = None
) -> Generator[Page, None, None]:
    """The pages from the one with token `first` on, read as needed; `where` is for messages.
    Raises what `read` raises, and RemoteError for a list that does not end."""
    guard = _Guard(where)
    page = read(first, lambda: False)
    while page[1] is not None:
        guard.check(*page)  # type: ignore[arg-type]
        yield page
        page = read(page[1], lambda: False)
    yield page


def pages_ahead(read: ReadPage, where: str = "") -> Generator[list[object], None, None]:
    """The entries page by page; the next page is requested while one is processed.

    A reader that stops early leaves at most one request, which ends by itself. Raises as `pages`
    does.
    """
    stopped, guard = threading.Event(), _Guard(where)
    entries, token = read(None, stopped.is_set)
    try:
        while token is not None:
            guard.check(entries, token)
            ahead = _Ahead(read, token, stopped)
            yield entries
            entries, token = ahead.page()
        yield entries
    finally:
        stopped.set()


def items(read: ReadPage, where: str = "") -> Iterator[object]:
    """The entries one by one. Raises as `pages` does."""
    return (entry for entries, _ in pages(read, where) for entry in entries)


class _Ahead:
    """Reads a page in a daemon thread."""

    def __init__(self, read: ReadPage, token: str, stopped: threading.Event) -> None:
        self._read, self._token, self._stopped = read, token, stopped
        self._page: Page | None = None
        self._error: TaskctlError | None = None
        self._thread = threading.Thread(target=self._run, name="taskctl-page-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._page = self._read(self._token, self._stopped.is_set)
        except TaskctlError as exc:
            self._error = exc

    def page(self) -> Page:
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._page or self._read(self._token, self._stopped.is_set)
