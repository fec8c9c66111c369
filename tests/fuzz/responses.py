"""Any response gives an outcome, data or a diagnostic, and never shows the token."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from reconciler.app.logs import follow_events
from reconciler.app.task_reader import TaskReader, event_cache
from reconciler.messages import word
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import SETTLE_TIME
from reconciler.model.service import Created, CreateOutcome, Identity
from reconciler.remote.client import Client
from reconciler.remote.exchange import Timeouts
from reconciler.remote.retries import RetryPolicy
from reconciler.system.cache import UserCache
from tests.support.client_tools import OPEN, TOKEN, create_body, make_client


class Server:
    """Answers every request with the bytes `response` and closes the connection."""

    def __init__(self) -> None:
        self.response = b""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                with sock, suppress(OSError):
                    sock.settimeout(5)
                    sock.recv(1 << 16)
                    sock.sendall(self.response)
                    sock.shutdown(socket.SHUT_WR)
                    sock.settimeout(0.2)  # a client may keep an invalid response for a while
                    sock.recv(1 << 16)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class EnoughError(Exception):
    """The stream was followed long enough."""


def _follow(client: Client, folder: Path) -> list[object]:
    naps = iter(range(3))

    def sleep(_: float) -> None:
        if next(naps, None) is None:
            raise EnoughError

    cache = event_cache(UserCache(folder), "local", Identity("me"))
    reader = TaskReader(client, cache, lambda: datetime.now(UTC), SETTLE_TIME)
    found: list[object] = []
    with suppress(EnoughError):
        found.extend(follow_events(client, reader, "acme", "t1", sleep))
    return found


CALLS: list[Callable[[Client, Path], object]] = [
    lambda client, _: client.identity(),
    lambda client, _: client.default_org(),
    lambda client, _: [list(p) for p, _ in zip(client.list_tasks("acme"), range(3), strict=False)],
    lambda client, _: client.get_task("acme", "t1"),
    lambda client, _: client.first_message("acme", "t1"),
    lambda client, _: list(client.events("acme", "t1")),
    lambda client, _: client.create_task("acme", create_body(), OPEN),
    lambda client, _: client.patch_task("acme", "t1", {"name": "x"}),
    lambda client, _: client.token_budget("acme"),
    lambda client, _: client.service_clock(),
    _follow,
]


def _check(
    server: Server, response: bytes, call: Callable[[Client, Path], object], folder: Path
) -> None:
    server.response = response
    limits = Timeouts(connect=5, read=5, create=5, whole=5)
    with make_client(server.url, timeouts=limits, policy=RetryPolicy(tries=1)) as client:
        try:
            result = call(client, folder)
        except TaskctlError as problem:
            result = [word(diagnostic) for diagnostic in problem.diagnostics]
        assert TOKEN not in repr(result)
        assert TOKEN not in repr(client.ignored_date())
    if isinstance(result, get_args(CreateOutcome)) and isinstance(result, Created):
        assert b"taskId" in response or b"\\u" in response or b"encoding" in response.lower()


@contextmanager
def checking_responses(folder: Path) -> Iterator[Callable[[bytes], None]]:
    with closing(Server()) as server:

        def check(response: bytes) -> None:
            for call in CALLS:
                _check(server, response, call, folder / "none")

        yield check
