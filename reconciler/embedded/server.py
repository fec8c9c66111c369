"""The embedded service over HTTP, with waitress.

Waitress has one thread for all sockets and a fixed number for requests, so slow connections cost no
thread.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from waitress.server import create_server

from reconciler.embedded.app import App
from reconciler.embedded.wsgi import BODY_LIMIT, ApiError, error_response
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_THREADS = 16
MAX_IDLE = 256
"""The number of connections that may be open without a complete request. Further connections close
the oldest."""

CONNECTIONS = MAX_IDLE + 2 * REQUEST_THREADS
"""Below the usual limit of 1,024 open files."""

HEADER_LIMIT = 64 * 1024
GRACE_SECONDS = 5.0
"""The time that `run` waits for responses in progress after `stop`."""


class Guard:
    """A WSGI app that protects `app` from web pages which talk to a server on the user's machine.

    A page on the internet can make its own host name resolve to 127.0.0.1 (DNS rebinding) and then
    read what the server sends, as its own origin. It cannot do so with an IP address as the host
    name. So Host must be an IP address, `localhost` or one of `hosts` (names without a port), and
    Origin, if any, that host itself.
    """

    def __init__(self, app: WSGIApplication, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in ("localhost", *hosts))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host, origin = str(environ.get("HTTP_HOST", "")).lower(), environ.get("HTTP_ORIGIN")
        if not self._is_allowed(host):
            problem = ApiError(403, "Forbidden: unknown Host; see `taskctl serve --allow-host`")
        elif origin is not None and str(origin).lower() not in (
            f"http://{host}",
            f"https://{host}",
        ):
            problem = ApiError(403, "Forbidden: requests from other origins are not accepted")
        else:
            return self._app(environ, start_response)
        response = error_response(problem)
        start_response(response.status_line, list(response.headers))
        return response.chunks

    def _is_allowed(self, host: str) -> bool:
        if host.rpartition("]")[2].strip(":0123456789") and "[" in host:
            return False  # after the address, Python ignored the rest until 3.11.8
        try:
            name = urlsplit(f"//{host}").hostname
            return name is not None and (name.rstrip(".") in self._hosts or bool(ip_address(name)))
        except ValueError:  # an invalid Host
            return False


class Server:
    """An App on its own socket: `run` serves it until `stop`; then call `close`."""

    def __init__(
        self, app: App, host: str, port: int, *, allow_hosts: Collection[str] = ()
    ) -> None:
        """Listens immediately; port 0 selects a free port. Raises TaskctlError if it cannot listen.

        `allow_hosts`: host names that clients may use, besides localhost and IP addresses.
        """
        self._socket = _listen(host, port)
        self._stopping = threading.Event()
        self._channels: dict[int, object] = {}
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._server = create_server(
            Guard(app, (host, *allow_hosts)),
            map=self._channels,
            sockets=[self._socket],
            threads=REQUEST_THREADS,
            connection_limit=CONNECTIONS,
            max_request_body_size=BODY_LIMIT + 1,  # rejected before it is read, if declared
            max_request_header_size=HEADER_LIMIT,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
            ident="taskctl",
        )

    @property
    def url(self) -> str:
        host, port = self._socket.getsockname()[:2]
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
        return f"http://{host}:{port}" if address.version == 4 else f"http://[{host}]:{port}"

    def run(self) -> None:
        """Serves until `stop`; then accepts no connections and lets responses finish."""
        while not self._stopping.is_set():
            self._poll(1.0)
            self._limit_idle()
        self._server.accepting = False
        deadline = time.monotonic() + GRACE_SECONDS
        while self._is_busy() and time.monotonic() < deadline:
            self._poll(0.02)

    def close(self) -> None:
        """Closes all connections. Call it after `run` has returned."""
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.asyncore.close_all(self._channels, ignore_all=True)

    def stop(self) -> None:
        """Ends `run`. Safe in any thread and in a signal handler."""
        self._stopping.set()
        self._server.pull_trigger()

    def _poll(self, seconds: float) -> None:
        self._server.asyncore.loop(timeout=seconds, use_poll=True, map=self._channels, count=1)

    def _limit_idle(self) -> None:
        """Closes connections without a complete request if there are too many of them; otherwise,
        they could use up all connections. Those that never had a response are closed first, then
        the oldest."""
        channels = self._server.active_channels.values()
        if len(channels) <= MAX_IDLE:
            return
        idle = [c for c in channels if not (c.requests or c.total_outbufs_len or c.will_close)]
        idle.sort(key=lambda channel: (channel.current_outbuf_count > 0, channel.last_activity))
        for channel in idle[: max(0, len(idle) - MAX_IDLE)]:
            channel.will_close = True

    def _is_busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def serve(
    app: App, host: str, port: int, out: Callable[[str], None], *, allow_hosts: Collection[str] = ()
) -> None:
    """Serves the app until SIGINT or SIGTERM, and closes it. Passes the URL to `out` as soon as the
    server listens.

    Must be called in the main thread. Raises TaskctlError if the address cannot be used.
    """
    with (
        closing(app),
        closing(Server(app, host, port, allow_hosts=allow_hosts)) as server,
        _stopped_by_signals(server.stop),
    ):
        out(server.url)
        server.run()


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()  # a second signal has its usual effect and ends the process immediately
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
            raise OverflowError("the port must be between 0 and 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(1024)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as problem:
        reason = str(getattr(problem, "strerror", None) or problem)
        raise TaskctlError.of(
            Code.LISTEN_ADDRESS, host=host, port=port, problem=reason
        ) from problem
    return listener
