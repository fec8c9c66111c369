"""Responses of a service that ask for gigabytes or never end."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.measured import MAX_MIB, MAX_SECONDS, Measure, measure, write_tasks

__all__ = ["measure"]


@contextmanager
def _serving(page: Callable[[str], bytes]) -> Iterator[tuple[str, list[str]]]:
    """A service whose list pages are gzipped; `page` makes one from its path."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: 40 ms less for each response

        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path == "/api/user":
                body = b'{"id": "u", "githubLogin": "me"}'
            else:
                body = page(self.path)
            body = _gzipped(body)
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@cache
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, 6)


MIB = 1 << 20
PAGES = 40
BOMBS = {
    "white space": lambda: b'{"tasks": []' + b" " * (64 * MIB) + b"}",
    "empty lists": lambda: b'{"tasks": [' + b"[]," * (5 * MIB) + b"[]]}",
    "objects": lambda: b'{"tasks": [' + b'{"":0},' * (2 * MIB) + b"{}]}",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_compressed_response_is_limited(
    tmp_path: Path, measure: Measure, bomb: Callable[[], bytes]
) -> None:
    write_tasks(tmp_path, "  a: {message: x}\n")
    body = bomb()
    with _serving(lambda _: body) as (url, _):
        measured = measure("plan", "--backend", url)
    assert measured.code == 1
    assert measured.seconds < MAX_SECONDS
    assert measured.mib < MAX_MIB


def _page(number: int, last: int) -> bytes:
    """A page with one task of somebody else, which is older than that of the page before."""
    created = (datetime(2026, 11, 24, tzinfo=UTC) - timedelta(seconds=number)).isoformat()
    tasks = [{"id": f"t{number}", "createdAt": created, "createdBy": {"githubLogin": "other"}}]
    more = {"continuationToken": str(number + 1)} if number < last else {}
    return json.dumps({"tasks": tasks, **more}).encode()


@pytest.mark.parametrize("last", [PAGES, PAGES + 1])
def test_the_pages_of_a_list_are_limited(tmp_path: Path, measure: Measure, last: int) -> None:
    """A list can always name a new task on its next page."""
    write_tasks(tmp_path, "  a: {message: x}\n")

    def page(path: str) -> bytes:
        return _page(int(parse_qs(urlsplit(path).query).get("continuationToken", ["1"])[0]), last)

    with _serving(page) as (url, asked):
        measured = measure("plan", "--backend", url, LIST_PAGES=PAGES)
    if last == PAGES:
        assert measured.code == 0
    else:
        measured.assert_refused("TC714")
        assert sum("pageSize" in path for path in asked) == PAGES
