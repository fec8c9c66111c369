"""The embedded service over HTTP, on waitress.

Waitress has one thread for sockets and a fixed number for requests, so slow or idle connections
cost nothing; an event stream holds a thread as long as it is open. Streams are therefore counted
(`MAX_STREAMS`), and there are more threads than that: streams alone can never use them up. A
stream whose client has gone is noticed at its next look, for `channel_request_lookahead` makes
waitress read from a connection while it answers.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

from waitress.server import create_server

from reconciler.embedded.app import MAX_STREAMS, App
from reconciler.embedded.budget import TokenBudget
from reconciler.embedded.lifecycle import Scenario
from reconciler.model.errors import TaskctlError

REQUEST_THREADS = 16
CONNECTIONS = 2000
GRACE_SECONDS = 5.0
"""How long answers that are under way may take once the server is to end."""


class Server:
    """An App on a socket of its own: `run` serves it until `stop`, then `close`."""

    def __init__(self, app: App, host: str, port: int) -> None:
        """Listens from now on; port 0 picks one. TaskctlError where the address is not free."""
        self._app = app
        self._socket = _listen(host, port)
        self._stopping = threading.Event()
        self._channels: dict[int, object] = {}
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server = create_server(
            app,
            map=self._channels,
            sockets=[self._socket],
            threads=MAX_STREAMS + REQUEST_THREADS,
            connection_limit=CONNECTIONS,
            channel_request_lookahead=1,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
            ident="taskctl",
        )

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        address = ip_address(host)
        if address.is_unspecified:
            return f"http://127.0.0.1:{port}" if address.version == 4 else f"http://[::1]:{port}"
        return f"http://{host}:{port}" if address.version == 4 else f"http://[{host}]:{port}"

    def run(self) -> None:
        """Serves until `stop`; then takes no more clients and lets answers under way end."""
        while not self._stopping.is_set():
            self._turn(1.0)
        self._server.accepting = False
        deadline = time.monotonic() + GRACE_SECONDS
        while self._is_busy() and time.monotonic() < deadline:
            self._turn(0.02)

    def close(self) -> None:
        """Closes every connection, once `run` has ended."""
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.asyncore.close_all(self._channels, ignore_all=True)

    def stop(self) -> None:
        """From any thread, or from a signal handler."""
        self._app.stop_streams()
        self._stopping.set()
        self._server.pull_trigger()

    def _turn(self, seconds: float) -> None:
        self._server.asyncore.loop(timeout=seconds, use_poll=True, map=self._channels, count=1)

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def serve(
    host: str,
    port: int,
    db: Path,
    token: str | None,
    out: Callable[[str], None],
    *,
    scenario: Scenario | None = None,
    budget: TokenBudget | None = None,
    no_budget: bool = False,
    streams_end: bool = True,
) -> None:
    """Serves the tasks in `db` until SIGINT or SIGTERM; gives `out` the URL once it listens.

    To be called in the main thread. `life` and `budget`: as for App; `no_budget`: what it
    has kept is forgotten. TaskctlError for a database or an address
    that cannot be used.
    """
    with (
        closing(
            App(db, token=token, scenario=scenario, budget=budget, streams_end=streams_end)
        ) as app,
        closing(Server(app, host, port)) as server,
        _stopped_by_signals(server.stop),
    ):
        if no_budget:
            app.forget_budget()
        out(server.url)
        server.run()


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()  # a second signal does what it did before, and does not wait for open answers
        stop()

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


def _listen(host: str, port: int) -> socket.socket:
    try:
        if not 0 <= port <= 65535:
            raise OverflowError("a port is a number from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # elsewhere it would take a port from under another program
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as problem:
        raise TaskctlError.of(
            f"cannot listen on {host} port {port}: {getattr(problem, 'strerror', None) or problem}",
            "Another program may hold it. Name another one, or let the system pick:"
            "\ntaskctl serve --port 0",
        ) from problem
    return listener
