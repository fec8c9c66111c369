"""Reading a list page by page: to its end, never round in circles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator

from reconciler.model.errors import TaskctlError
from reconciler.remote.failures import remote_error

Page = tuple[list[object], str | None]
"""A page's entries, and the token of the page after it; None after the last."""

ReadPage = Callable[[str | None, Callable[[], bool]], Page]
"""Reads the page of a token (None: the first). It tries again no more once the second says so."""


def pages(read: ReadPage) -> Generator[list[object], None, None]:
    """The entries, page by page; the next page is on its way while one is looked at.

    A reader who stops early leaves nothing behind but, at most, one request that ends by itself.
    Whatever `read` raises; RemoteError where a token comes a second time.
    """
    stopped = threading.Event()
    seen: set[str] = set()
    entries, token = read(None, stopped.is_set)
    try:
        while token is not None:
            _refuse_repeat(token, seen)
            ahead = _Ahead(read, token, stopped)
            yield entries
            entries, token = ahead.page()
        yield entries
    finally:
        stopped.set()


def items(read: ReadPage) -> Iterator[object]:
    """The entries one by one; a page is read when it is needed. Raises as `pages` does."""
    seen: set[str] = set()
    token: str | None = None
    while True:
        entries, token = read(token, lambda: False)
        yield from entries
        if token is None:
            return
        _refuse_repeat(token, seen)


def _refuse_repeat(token: str, seen: set[str]) -> None:
    if token in seen:
        raise remote_error(
            "the service's list goes round in circles: a continuation token came a second time",
            "What was read is not the whole list, so nothing was decided from it. Run the same "
            "command again; if it stays so, tell the operator of the service.",
        )
    seen.add(token)


class _Ahead:
    """One page on its way, read by a thread that holds nobody up at the end of the process."""

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
