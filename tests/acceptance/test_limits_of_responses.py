"""Responses of a service that ask for gigabytes or never end."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from reconciler.model import limits
from tests.support.loopback import serving_on_loopback
from tests.support.measured import (
    FEW_SECONDS,
    MAX_MIB,
    MAX_SECONDS,
    Measure,
    measure,
    write_tasks,
)

__all__ = ["measure"]
pytestmark = pytest.mark.tools


@contextmanager
def _serving(
    page: Callable[[str], bytes | None], *, in_bytes: bool = False
) -> Iterator[tuple[str, list[str]]]:
    """A service whose responses are gzipped; `page` makes one from its path, None for a 404. It
    creates tasks with the IDs t1, t2, ... If it sends `in_bytes`, each byte is a chunk."""
    asked: list[str] = []
    numbers = count(1)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: 40 ms less for each response

        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path == "/api/user":
                self._respond(200, b'{"id": "u", "githubLogin": "me"}')
            elif (body := page(self.path)) is not None:
                self._respond(200, body)
            else:
                self._respond(404, b'{"code": 404, "message": "Not Found"}')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._respond(201, f'{{"taskId": "t{next(numbers)}"}}'.encode())

        def _respond(self, status: int, body: bytes) -> None:
            body = _gzipped(body)
            self.send_response(status)
            self.send_header("Content-Encoding", "gzip")
            if in_bytes:
                self.send_header("Transfer-Encoding", "chunked")
                body = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # the client reads no more than it has to
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving_on_loopback(Handler) as port:
        yield f"http://127.0.0.1:{port}", asked


@lru_cache(4)
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, 1)


MIB = 1 << 20
PAGES = 40
BOMBS = {
    "white space": lambda: b'{"tasks": []' + b" " * (64 * MIB) + b"}",
    "empty lists": lambda: b'{"tasks": [' + b"[]," * (5 * MIB) + b"[]]}",
    "objects": lambda: b'{"tasks": [' + b'{"":0},' * (2 * MIB) + b"{}]}",
}


@pytest.mark.reaches("RESPONSE_BYTES", "RESPONSE_VALUES", "SMALL_RESPONSE_BYTES")
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


@pytest.mark.reaches("RESPONSE_PARTS")
@pytest.mark.parametrize("more", [False, True])
def test_the_chunks_of_a_response_are_limited(
    tmp_path: Path, measure: Measure, *, more: bool
) -> None:
    """Random text, so that the compressed bytes are about as many."""
    write_tasks(tmp_path, "  a: {message: x}\n")
    size = limits.RESPONSE_PARTS * (40 if more else 1) // 4 * 3
    text = base64.b64encode(random.Random(1).randbytes(size)).decode()
    body = json.dumps({"tasks": [], "x": text}).encode()
    assert (len(_gzipped(body)) > limits.RESPONSE_PARTS) == more
    with _serving(lambda _: body, in_bytes=True) as (url, _):
        measured = measure("plan", "--backend", url)
    assert (measured.code, measured.codes) == ((1, ["TC704"]) if more else (0, []))
    assert measured.seconds < FEW_SECONDS
    assert measured.mib < MAX_MIB


def _page(number: int, last: int, more: str = "") -> bytes:
    """A page with one task of somebody else, which is older than that of the page before."""
    created = (datetime(2026, 11, 24, tzinfo=UTC) - timedelta(seconds=number)).isoformat()
    creator = {"githubLogin": "other"}
    tasks = [{"id": f"t{number}", "createdAt": created, "createdBy": creator, "x": more}]
    following = {"continuationToken": str(number + 1)} if number < last else {}
    return json.dumps({"tasks": tasks, **following}).encode()


@pytest.mark.reaches("LIST_PAGES")
@pytest.mark.parametrize("last", [PAGES, PAGES + 1])
def test_the_pages_of_a_list_are_limited(tmp_path: Path, measure: Measure, last: int) -> None:
    """A list can always name a new task on its next page."""
    write_tasks(tmp_path, "  a: {message: x}\n")

    def page(path: str) -> bytes:
        if "/events" in path:
            return HOSTILE["honest"](1)
        return _page(int(parse_qs(urlsplit(path).query).get("continuationToken", ["1"])[0]), last)

    with _serving(page) as (url, asked):
        measured = measure("plan", "--backend", url, LIST_PAGES=PAGES)
    if last == PAGES:
        assert measured.code == 0
    else:
        measured.assert_refused("TC714")
        assert sum("pageSize" in path for path in asked) == PAGES


@pytest.mark.reaches("KEPT_BYTES", "KEPT_BYTES_PER_TASK")
def test_the_memory_for_tasks_without_end_is_limited(tmp_path: Path, measure: Measure) -> None:
    write_tasks(tmp_path, "  a: {message: x}\n")

    def page(path: str) -> bytes:
        number = int(parse_qs(urlsplit(path).query).get("continuationToken", ["1"])[0])
        return _page(number, limits.LIST_PAGES, "x" * 8_000)

    with _serving(page) as (url, asked):
        measured = measure("plan", "--backend", url, KEPT_BYTES=MIB, TASKS=40)
    measured.assert_refused("TC714")
    assert 150 < sum("pageSize" in path for path in asked) < 240


@pytest.mark.reaches("LIST_SECONDS")
def test_the_time_of_reading_a_list_is_limited(tmp_path: Path, measure: Measure) -> None:
    write_tasks(tmp_path, "  a: {message: x}\n")

    def page(path: str) -> bytes:
        return _page(int(parse_qs(urlsplit(path).query).get("continuationToken", ["1"])[0]), PAGES)

    with _serving(page) as (url, asked):
        measured = measure("plan", "--backend", url, LIST_SECONDS=0)
    measured.assert_refused("TC714")
    assert sum("pageSize" in path for path in asked) < PAGES


# Pages that are too large

LARGE = b'{"tasks": [], "x": "' + b" " * (8 * MIB) + b'"}'
MANY = b'{"tasks": [], "x": [' + b"[]," * 300_000 + b"[]]}"


@pytest.mark.reaches("RESPONSE_BYTES", "RESPONSE_VALUES")
@pytest.mark.parametrize("large", [LARGE, MANY], ids=["bytes", "values"])
@pytest.mark.parametrize("most", [1000, 100, 1, 0])
def test_a_page_that_is_too_large_is_requested_in_smaller_parts(
    tmp_path: Path, measure: Measure, large: bytes, most: int
) -> None:
    """Down to a single entry, and the following pages are as small as that."""
    write_tasks(tmp_path, "  a: {message: x}\n")

    def page(path: str) -> bytes:
        query = parse_qs(urlsplit(path).query)
        if "/events" in path:
            return HOSTILE["honest"](1)
        if int(query["pageSize"][0]) > most:
            return large
        return _page(int(query.get("continuationToken", ["1"])[0]), 2)

    with _serving(page) as (url, asked):
        measured = measure("plan", "--backend", url)
    lists = [path for path in asked if "?" in path and "/events" not in path]
    sizes = [int(parse_qs(urlsplit(path).query)["pageSize"][0]) for path in lists]
    refused = [size for size in (1000, 100, 10, 1) if size > most]
    if not most:
        measured.assert_refused("TC704")
        assert sizes == refused
        return
    assert (measured.code, measured.mib < MAX_MIB) == (0, True)
    # A list of two pages is read twice.
    assert sizes == [*refused, most, most] * 2


# A hostile service

TASKS = 30
"""Half of which are recorded."""
MOST_MORE = 1_000
"""In MiB, also of the memory that an honest service with as many tasks would take."""

_OBJECTS = b"[" + b'{"":0},' * 80_000 + b"{}]"
_WIDE = b'"' + b" " * 7_200_000 + "\U0001f600".encode() + b'"'
EXTRA = b'{"a": ' + _OBJECTS + b', "b": ' + _WIDE + b"}"
"""Almost 8 MiB that take 50 MiB."""
EMOJI = b'"' + "\U0001f600".encode() * 1_900_000 + b'"'
NO_TASKS = b'{"tasks": []}'
SLOW_DATA = f'```json\n{{"a": "{"a" * 80}!"}}\n```'
"""For the expression `^(a+)+$`."""
MANY_OBJECTS = json.dumps((b"[" + b'{"":0},' * 140_000 + b"{}]").decode()).encode()


def _event(kind: str, at: int, **body: object) -> bytes:
    """Values that are bytes are JSON already."""
    texts = {
        name: v if isinstance(v, bytes) else json.dumps(v).encode() for name, v in body.items()
    }
    members = b", ".join(b'"%s": %s' % (name.encode(), text) for name, text in texts.items())
    head = f'{{"id": "e{at}", "type": "{kind}", "eventBody": {{'.encode()
    return head + b'"timestamp": "2026-11-24T12:00:00Z", ' + members + b"}}"


def _prompt(content: object) -> bytes:
    return _event("userInput", 0, type="user_message", content=content)


def _said(content: object, **more: object) -> bytes:
    final = {"type": "assistant_message", "is_final": True}
    return _event("agentResponse", 1, **final, content=content, **more)


def _answered_request(number: int) -> tuple[bytes, bytes]:
    answer = {"type": "user_confirmation", "approval_request_id": f"q{number}", "ok": True}
    return _asked(number, EXTRA), _event("userInput", -number, **answer)


def _asked(at: int, context: object) -> bytes:
    request = {"type": "user_approval_request", "id": f"q{at}"}
    return _event("agentResponse", at, **request, context=context)


def _events(*events: bytes, after: int = 0) -> bytes:
    more = b', "continuationToken": "%d"' % (after + 1) if after else b""
    return b'{"events": [' + b", ".join(events) + b"]" + more + b"}"


READS = 12
_reads = {False: count(2), True: count(2)}


def _growing(*, answered: bool) -> bytes:
    """The last page, with a new request each time it is read; at last, the agent is done."""
    number = next(_reads[answered])
    if number % READS == 0:
        return _events(_said("done"))
    return _events(*_answered_request(number)[: 1 + answered])


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "honest": lambda _: _events(_prompt("do it"), _said("done")),
    "endless": lambda at: _events(_prompt("do it"), _said("done", x=EXTRA), after=at),
    "no message": lambda at: _events(_said("done", x=EXTRA), after=at),
    "large messages": lambda _: _events(_prompt(EMOJI)),
    "large answers": lambda _: _events(_prompt("do it"), _said(EMOJI)),
    "large data": lambda _: _events(_prompt("do it"), _said(MANY_OBJECTS)),
    "many requests": lambda at: _events(
        _prompt("do it"), *(_asked(1000 * at + n, {}) for n in range(999)), after=at
    ),
    "large requests": lambda at: _events(_prompt("do it"), _asked(at, EXTRA), after=at),
    "short pages": lambda at: _events(_prompt("do it"), after=at),
    "slow data": lambda _: _events(_prompt("do it"), _said(SLOW_DATA)),
    "more requests": lambda _: _growing(answered=False),
    "more answered requests": lambda _: _growing(answered=True),
}


def _task(number: int, more: bytes) -> bytes:
    created = (datetime(2026, 11, 24, tzinfo=UTC) + timedelta(seconds=number)).isoformat()
    known = {"id": f"t{number}", "status": "idle", "createdAt": created}
    body = json.dumps({**known, "createdBy": {"githubLogin": "me"}})
    return body.removesuffix("}").encode() + b', "x": ' + more + b"}"


def _answered(path: str, kind: str) -> bytes | None:
    """The response of a service with TASKS tasks, whose events are of a `kind` of HOSTILE. In a
    list of large tasks, each is a page."""
    at = int(parse_qs(urlsplit(path).query).get("continuationToken", ["1"])[0])
    name, large = urlsplit(path).path.rpartition("/")[2], kind == "large tasks"
    more = EXTRA if large else b"0"
    if name == "events":
        return HOSTILE["honest" if large else kind](at)
    if name == "tasks":
        numbers = [TASKS + 1 - at] if large else range(TASKS, 0, -1)
        tasks = b", ".join(_task(number, more) for number in numbers)
        token = b', "continuationToken": "%d"' % (at + 1) if large and at < TASKS else b""
        return b'{"tasks": [' + tasks + b"]" + token + b"}"
    return _task(int(name[1:]), more) if name[:1] == "t" and name[1:].isdigit() else None


@contextmanager
def _recorded(
    folder: Path, measure: Measure, tasks: str, page: Callable[[str], bytes | None]
) -> Iterator[tuple[str, list[str]]]:
    """A service whose pages are these after the tasks were created and recorded."""
    write_tasks(folder, tasks)
    pages: list[Callable[[str], bytes | None]] = [lambda _: NO_TASKS]
    with _serving(lambda path: pages[-1](path)) as (url, asked):
        assert measure("apply", "--yes", "--backend", url).code == 0
        pages.append(page)
        asked.clear()
        yield url, asked


@pytest.mark.reaches("KEPT_BYTES", "KEPT_BYTES_PER_TASK", "EVENT_PAGES", "SUMMARY_ITEMS")
@pytest.mark.parametrize(
    ("command", "kind", "code", "errors"),
    [
        ("plan", "honest", 0, set()),
        ("plan", "large tasks", 1, {"TC714"}),
        ("plan", "large messages", 1, set()),  # unresolved
        pytest.param("plan", "no message", 1, set(), marks=pytest.mark.soak),
        pytest.param("status", "large tasks", 1, {"TC714"}, marks=pytest.mark.soak),
        ("status", "endless", 1, {"TC714"}),
        ("status", "many requests", 1, {"TC714"}),
        ("status", "large requests", 1, {"TC714"}),
        ("logs k1", "endless", 1, {"TC714"}),
        ("logs k1 --follow", "more requests", 1, {"TC714"}),
        ("logs k1 --follow", "more answered requests", 0, set()),
        ("results", "large answers", 0, set()),
        ("results", "large data", 1, {"TC714"}),
    ],
)
def test_the_memory_for_a_hostile_service_is_limited(
    tmp_path: Path, measure: Measure, command: str, kind: str, code: int, errors: set[str]
) -> None:
    tasks = "".join(f"  k{n}: {{message: m{n}}}\n" for n in range(TASKS // 2))
    with _recorded(tmp_path, measure, tasks, partial(_answered, kind=kind)) as (url, _):
        write_tasks(tmp_path, "  new: {message: x}\n", "b")
        measured = measure(*command.split(), "--backend", url, EVENT_PAGES=3)
    assert (measured.code, set(measured.codes)) == (code, errors)
    assert measured.seconds < MAX_SECONDS
    assert measured.mib < MOST_MORE


@pytest.mark.reaches("KEPT_BYTES")
def test_an_import_of_too_much_stops_early(tmp_path: Path, measure: Measure) -> None:
    events = _events(_prompt("x" * 900_000), _said("done"))
    tasks = b'{"tasks": [' + b", ".join(_task(n, b"0") for n in range(400, 0, -1)) + b"]}"
    with _serving(lambda path: events if "/events" in path else tasks) as (url, asked):
        words = ("--all", "--org", "acme", "--write", "tasks/i.yaml", "--backend", url)
        measure("import", *words).assert_refused("TC714")
    assert sum("/events" in path for path in asked) < 100
    assert not (tmp_path / "tasks" / "i.yaml").exists()


@pytest.mark.soak
@pytest.mark.reaches("KEPT_BYTES")
def test_20000_tasks_of_4_kb_can_be_planned(tmp_path: Path, measure: Measure) -> None:
    """The first message of each is read."""
    total = 20_000
    write_tasks(tmp_path, "  new: {message: x}\n")
    known = {"status": "idle", "createdBy": {"githubLogin": "other"}, "x": "x" * 4_000}
    start = datetime(2026, 11, 24, tzinfo=UTC)

    def page(path: str) -> bytes:
        if path.partition("?")[0].endswith("/events"):
            return HOSTILE["honest"](1)
        first = int(parse_qs(urlsplit(path).query).get("continuationToken", ["0"])[0])
        tasks = [
            {"id": f"t{n}", "createdAt": (start - timedelta(seconds=n)).isoformat(), **known}
            for n in range(first, first + 1_000)
        ]
        more = {"continuationToken": str(first + 1_000)} if first + 1_000 < total else {}
        return json.dumps({"tasks": tasks, **more}).encode()

    with _serving(page) as (url, asked):
        measured = measure("plan", "--backend", url)
    assert sum("/events" in path for path in asked) == total
    assert (measured.code, measured.mib < MAX_MIB) == (0, True)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"tasks": [{}] * 1_001}, marks=pytest.mark.reaches("PAGE_ENTRIES")),
        pytest.param(
            {"tasks": [], "continuationToken": "x" * 4_097},
            marks=pytest.mark.reaches("PAGE_TOKEN_CHARACTERS"),
        ),
    ],
    ids=["entries", "token"],
)
def test_a_page_with_too_much(tmp_path: Path, measure: Measure, page: object) -> None:
    write_tasks(tmp_path, "  a: {message: x}\n")
    with _serving(lambda _: json.dumps(page).encode()) as (url, _):
        measure("plan", "--backend", url).assert_refused("TC713")


# What is read or kept of a task


@pytest.mark.reaches("EVENT_SECONDS")
def test_the_time_of_reading_events_is_limited(tmp_path: Path, measure: Measure) -> None:
    page = partial(_answered, kind="short pages")
    with _recorded(tmp_path, measure, "  a: {message: x}\n", page) as (url, asked):
        measured = measure("logs", "a", "--backend", url, EVENT_SECONDS=0)
    measured.assert_refused("TC714")
    assert sum("events" in path for path in asked) == 1


@pytest.mark.reaches("RESULT_SECONDS", "RESULT_TIMEOUTS")
def test_the_time_of_checking_results_is_limited(tmp_path: Path, measure: Measure) -> None:
    (tmp_path / "s.json").write_text('{"properties": {"a": {"pattern": "^(a+)+$"}}}')
    more = "expect: {data: ../s.json}"
    count = limits.RESULT_TIMEOUTS + 2
    tasks = "".join(f"  k{n}: {{message: m{n}, {more}}}\n" for n in range(count))
    with _recorded(tmp_path, measure, tasks, partial(_answered, kind="slow data")) as (url, _):
        measured = measure("results", "--backend", url, RESULT_SECONDS=0.1)
    assert measured.seconds < MAX_SECONDS
    assert measured.printed.count("within 0.1 s") == limits.RESULT_TIMEOUTS


@pytest.mark.reaches("OUTPUT_BYTES")
def test_what_a_state_keeps_of_a_task_is_limited(tmp_path: Path, measure: Measure) -> None:
    named = _task(1, b'0, "name": "' + b"long" * 10_000 + b'"')
    page = b'{"tasks": [' + named + b"]}"
    with _recorded(tmp_path, measure, "  a: {message: x}\n", lambda _: page) as (url, _):
        write_tasks(tmp_path, "  b: {message: y}\n", "b")
        assert measure("apply", "--yes", "--backend", url).code == 0
    text = (tmp_path / "taskctl.state.json").read_text()
    assert '"status": "idle"' in text
    assert "longlong" not in text


MOST_FOR_A_FILE = 100
"""In MiB, so that the largest file is not even read."""


def _extended(file: Path) -> None:
    with file.open("ab") as opened:
        opened.truncate(limits.CACHED_FILE_BYTES + 1)


@pytest.mark.reaches("CACHED_FILE_BYTES")
def test_a_file_of_the_cache_that_is_too_large_is_replaced(
    tmp_path: Path, cache_folder: Path, measure: Measure
) -> None:
    page = partial(_answered, kind="honest")
    with _recorded(tmp_path, measure, "  a: {message: x}\n", page) as (url, asked):

        def reads() -> int:
            asked.clear()
            measured = measure("status", "--backend", url)
            assert (measured.code, measured.mib < MOST_FOR_A_FILE) == (0, True)
            return sum("events" in path for path in asked)

        assert (reads(), reads()) == (1, 0)
        (file,) = (cache_folder / "taskctl").iterdir()
        _extended(file)
        assert (reads(), reads()) == (1, 0)
