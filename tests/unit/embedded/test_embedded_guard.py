"""A hostile web page or client cannot affect a server on this machine."""

from __future__ import annotations

import http.client
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from reconciler.embedded.app import App
from reconciler.embedded.server import Guard
from reconciler.embedded.wsgi import BODY_LIMIT
from reconciler.model.hosts import is_loopback
from tests.support.embedded_client import Api
from tests.support.embedded_server import running_server, server_process

HALF_OPEN = 1900


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8765", 200),
        ("localhost:8765", 200),
        ("LOCALHOST", 200),
        ("[::1]:8765", 200),
        ("192.0.2.7", 200),
        ("neo.example.test", 200),
        ("neo.example.test.:80", 200),
        ("evil.example.test", 403),
        ("localhost.evil.example.test", 403),
        ("127.0.0.1.evil.example.test", 403),
        ("evil.example.test@localhost.", 200),
        ("[::1]evil.example.test", 403),
        ("[::1]:8765evil.example.test", 403),
        ("", 403),
        ("[", 403),
    ],
)
def test_only_known_hosts_are_accepted(app: App, host: str, status: int) -> None:
    guarded = Api(Guard(app, ["Neo.example.test"]))
    assert guarded.call("GET", "/api/user", headers={"Host": host}).status == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8765", 200),
        ("https://localhost:8765", 200),
        ("http://localhost:9999", 403),
        ("http://evil.example.test", 403),
        ("null", 403),
        ("", 403),
        ("chrome-extension://localhost:8765", 403),
    ],
)
def test_only_the_same_origin_is_accepted(app: App, origin: str, status: int) -> None:
    headers = {"Host": "localhost:8765", "Origin": origin}
    assert Api(Guard(app)).call("GET", "/api/user", headers=headers).status == status


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("example.test", False),
    ],
)
def test_loopback_addresses(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def test_a_declared_body_over_the_limit_is_rejected_before_it_is_sent(db: Path) -> None:
    with running_server(db) as url, socket.create_connection(address(url), 30) as client:
        head = "POST /api/preview/agents/acme/tasks HTTP/1.1\r\nHost: localhost\r\n"
        client.sendall(f"{head}Content-Length: {BODY_LIMIT + 1}\r\n\r\n".encode())
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_a_chunked_body_over_the_limit_is_rejected(db: Path) -> None:
    with running_server(db) as url, socket.create_connection(address(url), 30) as client:
        head = "POST /api/preview/agents/acme/tasks HTTP/1.1\r\nHost: localhost\r\n"
        client.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        with suppress(OSError):
            for _ in range(20 * BODY_LIMIT // len(chunk)):
                client.sendall(chunk)
            pytest.fail("20 times the limit was accepted")


@contextmanager
def many_files() -> Iterator[int]:
    """How many sockets may be open, after raising the limit of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wish = HALF_OPEN + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wish, hard)), hard))
    try:
        yield min(HALF_OPEN, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 300)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_half_open_connections_do_not_block_others(db: Path) -> None:
    with many_files() as most, server_process(db) as (url, _), ExitStack() as opened:
        steady = opened.enter_context(closing(http.client.HTTPConnection(*address(url), 30)))
        for number in range(most):
            client = opened.enter_context(socket.create_connection(address(url), 30))
            if number % 2:
                client.sendall(b"POST /api/preview/agents/acme/tasks HTTP/1.1\r\nHost: local")
            if not number % 100:  # an active connection is not closed
                steady.request("GET", "/api/user", headers={"Authorization": "token alice"})
                assert json.load(steady.getresponse())["id"]
        with closing(http.client.HTTPConnection(*address(url), 30)) as fresh:
            fresh.request("GET", "/api/user", headers={"Authorization": "token alice"})
            assert fresh.getresponse().status == 200
