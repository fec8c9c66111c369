"""Responses that are rare, endless, absurd or unreadable: none of them is read as empty."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread
from typing import Any

import pytest

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.model.service import Created, Unknown
from reconciler.remote.client import Client
from reconciler.remote.exchange import NoResponseError, Request, Timeouts
from reconciler.remote.retries import RetryPolicy
from reconciler.remote.transport import Transport
from tests.support.client_tools import OPEN, TOKEN, FakeTime, cause, create_body, make_client
from tests.support.fault_server import Fault, FaultServer, Rule

EARLY_HINTS = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = "HTTP/1.1 102 Processing\r\n\r\n"
ONE_TRY = RetryPolicy(tries=1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "interim", [EARLY_HINTS, CONTINUE, EARLY_HINTS + CONTINUE + PROCESSING + EARLY_HINTS]
)
def test_interim_responses_are_skipped(interim: str) -> None:
    """http.client skips only 100: after a 103, each response would be taken for the next one."""
    rules = [Rule("create", Fault("interim", text=interim), nth=(1, 2))]
    with FaultServer(rules) as server, make_client(server.url) as client:
        outcomes = [client.create_task("acme", create_body(t), OPEN) for t in ("a", "b", "c")]
        made = server.tasks_by_work()
        assert server.connections == 1
    assert outcomes == [Created(made[text][0]) for text in ("a", "b", "c")]


@pytest.mark.parametrize("interim", [EARLY_HINTS, CONTINUE])
def test_endless_interim_responses_are_an_error(interim: str) -> None:
    with FaultServer([Rule("create", Fault("endless", text=interim, committed=True))]) as server:
        outcome = make_client(server.url).create_task("acme", create_body(), OPEN)
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize("endpoint", ["create", "user"])
def test_a_slow_response_times_out(endpoint: str) -> None:
    """Each byte arrives in time, but all of them together would take a quarter of an hour."""
    limits = Timeouts(connect=60.0, read=60.0, create=0.5, whole=0.5)
    with FaultServer([Rule(endpoint, Fault(trickle=5.0))]) as server:
        client = make_client(server.url, timeouts=limits, policy=ONE_TRY)
        if endpoint == "create":
            assert isinstance(client.create_task("acme", create_body(), OPEN), Unknown)
        else:
            with pytest.raises(RemoteError) as caught:
                client.identity()
            assert cause(caught) == (Code.NO_RESPONSE, "timeout")


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + "X: y\r\n" * 200 + "\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n\x00\x00\x12\x04",
        "",
    ],
)
@pytest.mark.parametrize("endpoint", ["create", "list"])
def test_a_response_that_is_not_http_is_an_error(text: str, endpoint: str) -> None:
    with FaultServer([Rule(endpoint, Fault("wire", text=text))]) as server:
        client = make_client(server.url, policy=ONE_TRY)
        if endpoint == "create":
            assert isinstance(client.create_task("acme", create_body(), OPEN), Unknown)
        else:
            with pytest.raises(RemoteError):
                next(client.list_tasks("acme"))


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "lengths", ["Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: 2, 3\r\n"]
)
def test_contradictory_lengths_close_the_connection(
    connection: str, method: str, lengths: str
) -> None:
    """At once, even while the error and its traceback are kept."""
    head = f"HTTP/1.1 200 OK\r\nConnection: {connection}\r\n{lengths}\r\n"
    end: list[bytes] = []

    def serve() -> None:
        with listener.accept()[0] as sock:
            sock.recv(1 << 16)
            sock.sendall(f"{head}{{}}".encode())
            sock.settimeout(60)
            try:
                end.append(sock.recv(1))
            except ConnectionResetError:
                end.append(b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve)
        thread.start()
        transport = Transport(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)
        with closing(transport):
            with pytest.raises(NoResponseError) as caught:
                transport.send_once(Request(method, "/x"), 60)
            thread.join()
    assert end == [b""]
    assert "Content-Length" in str(caught.value.cause)


App = Callable[..., Iterable[bytes]]


def answering(*bodies: Any, date: datetime | None = None, **settings: Any) -> Client:
    """A client of an application that responds with these bodies, one after another."""
    left = [json.dumps(body).encode() for body in bodies]

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        dated = [("Date", format_datetime(date, usegmt=True))] if date else []
        start("200 OK", [("Content-Type", "application/json"), *dated])
        return [left.pop(0) if len(left) > 1 else left[0]]

    return make_client("local", app=app, **settings)


def task(task_id: str, minute: int = 0, **members: Any) -> dict[str, Any]:
    return {"id": task_id, "createdAt": f"2026-11-24T12:{minute:02}:00Z", **members}


@pytest.mark.parametrize("unset", [None, "0001-01-01T00:00:00Z"])
def test_unset_properties_are_absent(unset: Any) -> None:
    """SDKs send null, or the zero time of Go."""
    found = answering(task("t1", sharedAt=unset, entities=[], name="")).get_task("acme", "t1")
    assert found is not None
    assert found.raw == {**task("t1"), "entities": [], "name": ""}


@pytest.mark.parametrize(
    "body",
    [
        {"tasks": [], "continuationToken": "x" * (limits.PAGE_TOKEN_CHARACTERS + 1)},
        {"tasks": [{}] * (limits.PAGE_ENTRIES + 1)},
    ],
    ids=["token", "entries"],
)
def test_a_page_beyond_the_api_is_an_error(body: Any) -> None:
    with pytest.raises(RemoteError) as caught:
        next(answering(body).list_tasks("acme"))
    assert caught.value.diagnostics[0].code is Code.UNREADABLE_RESPONSE


@pytest.mark.parametrize("body", [{"tasks": None}, {}, [], {"tasks": {}}, {"tasks": "none"}])
def test_a_missing_list_is_not_an_empty_list(body: Any) -> None:
    with pytest.raises(RemoteError) as caught:
        next(answering(body).list_tasks("acme"))
    assert cause(caught) == (Code.UNREADABLE_RESPONSE, "list")


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "t2",
        [],
        {},
        {"taskID": "t2", "createdAt": "2026-11-24T12:00:00Z"},
        task(""),
        task("t2", createdAt=None),
        task("t2", createdAt="yesterday"),
        {"id": 7, "createdAt": "2026-11-24T12:00:00Z"},
        task(f"t2-{TOKEN}"),
    ],
)
def test_an_entry_that_is_not_a_task_is_reported(entry: Any) -> None:
    page = next(answering({"tasks": [task("t1"), entry, task("t3")]}).list_tasks("acme"))
    assert page.problem is not None
    assert (page.problem.code, page.problem.case) == (Code.UNREADABLE_LIST, "entry")
    assert {"t1", "t3"} <= {one.id for one in page}


def test_an_unexpected_order_is_reported() -> None:
    pages = answering(
        {"tasks": [task("t3", 3), task("t2", 2)], "continuationToken": "more"},
        {"tasks": [task("t4", 4), task("t1", 1)]},
    ).list_tasks("acme")
    assert [page.problem and page.problem.case for page in pages] == [None, "order"]


def test_entries_that_moved_to_the_next_page_are_in_order() -> None:
    pages = answering(
        {"tasks": [task("t4", 4), task("t3", 3)], "continuationToken": "more"},
        {"tasks": [task("t4", 4), task("t3", 3), task("t2", 3), task("t1", 1)]},
    ).list_tasks("acme")
    assert [page.problem for page in pages] == [None, None]


@pytest.mark.parametrize("token", ["", None])
def test_a_page_without_a_token_is_the_last(token: object) -> None:
    answer = {"tasks": [task("t1")], "continuationToken": token}
    assert [one.id for page in answering(answer).list_tasks("acme") for one in page] == ["t1"]


@pytest.mark.parametrize("token", [0, 7, False, [], {}])
def test_a_page_with_an_unreadable_token_is_not_the_last(token: object) -> None:
    answer = {"tasks": [task("t1")], "continuationToken": token}
    with pytest.raises(RemoteError) as caught:
        list(answering(answer).list_tasks("acme"))
    assert cause(caught) == (Code.UNREADABLE_RESPONSE, "token")


def test_endless_empty_pages_are_an_error() -> None:
    asked = iter(range(10_000))

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"tasks": [], "continuationToken": str(next(asked))}).encode()]

    with pytest.raises(RemoteError) as caught:
        list(make_client("local", app=app).list_tasks("acme"))
    assert cause(caught) == (Code.UNREADABLE_LIST, "long")


def message(text: Any, at: str = "2026-11-24T12:00:00Z", **members: Any) -> dict[str, Any]:
    body = {"type": "user_message", "content": text, "timestamp": at, **members}
    return {"id": at, "type": "userInput", "eventBody": body}


def said(at: str) -> dict[str, Any]:
    body = {"type": "assistant_message", "content": "", "timestamp": at}
    return {"id": at, "type": "agentResponse", "eventBody": body}


FIRST = message("first", "2026-11-24T12:00:00Z")
SECOND = message("second", "2026-11-24T12:09:00Z")
AGENT = [said(f"2026-11-24T12:0{n}:00Z") for n in range(1, 5)]


@pytest.mark.parametrize(
    "events",
    [
        [SECOND, *reversed(AGENT), FIRST],
        [SECOND, AGENT[0], FIRST],
        [SECOND, FIRST],
        [None, FIRST],
        ["odd", FIRST],
        [message(None), SECOND],
        [message(["first"]), SECOND],
        [{"id": "1", "type": "userInput", "eventBody": None}, SECOND],
        [message("first", entity_diff={"add": [None]})],
        [message("first", entity_diff="odd")],
    ],
)
def test_events_without_an_order_are_an_error(events: list[Any]) -> None:
    with pytest.raises(RemoteError) as caught:
        answering({"events": events}).first_message("acme", "t")
    assert cause(caught) == (Code.UNREADABLE_RESPONSE, "events")


@pytest.mark.parametrize(
    "events",
    [
        [FIRST, *AGENT, SECOND],
        [message("first", "2026-11-24T12:30:00Z"), *AGENT, SECOND],  # a clock that is ahead
        [message("first", ""), *AGENT, SECOND],
        [{**SECOND, "isSynthetic": True}, FIRST, *AGENT],
        [{"id": "1", "type": "somethingNew"}, FIRST],
        [message("first", entity_diff=None), SECOND],
    ],
)
def test_the_first_message_is_the_first(events: list[Any]) -> None:
    found = answering({"events": events}).first_message("acme", "t")
    assert found is not None
    assert found.text == "first"


def test_every_string_is_sanitized_when_it_is_decoded() -> None:
    """A service or a proxy that echoes the token must not get it into a state or a cache."""
    user = {"id": "u1", "githubLogin": TOKEN, "tokenInfo": {"organization": TOKEN}}
    assert TOKEN not in repr(answering(user).identity())
    echo = {**task("t1", name=TOKEN), TOKEN: [TOKEN]}
    assert TOKEN not in repr(answering(echo).get_task("acme", "t1"))
    assert TOKEN not in repr(list(answering({"tasks": [echo]}).list_tasks("acme")))
    events = {"events": [message(f"use {TOKEN}")]}
    found = answering(events).first_message("acme", "t1")
    assert found is not None
    assert found.text == "use [REDACTED]"
    spelled = json.dumps(user).replace(TOKEN, "".join(f"\\u{ord(c):04x}" for c in TOKEN))
    assert TOKEN not in repr(answering(json.loads(spelled)).identity())


@pytest.mark.parametrize(
    "user",
    [
        *({}, {"id": None}, {"id": ""}, {"id": 7}, {"id": TOKEN}, [], None),
        {"id": "u1", "tokenInfo": {"organization": ["acme"]}},
        {"id": "u1", "tokenInfo": {"team": {"name": "ops"}}},
    ],
)
def test_a_user_without_an_identity_is_unreadable(user: Any) -> None:
    with pytest.raises(RemoteError) as caught:
        answering(user).identity()
    assert cause(caught) == (Code.UNREADABLE_RESPONSE, "user")


@pytest.mark.parametrize("name", ["$(id)", "a b", "-x", "../x", "acme\n", TOKEN * 4, 7, ["acme"]])
def test_a_default_organization_that_is_not_a_name(name: Any) -> None:
    with pytest.raises(RemoteError) as caught:
        answering({"GitHubLogin": name}).default_org()
    assert cause(caught) == (Code.UNREADABLE_RESPONSE, "organization")


@pytest.mark.parametrize("body", [{}, {"GitHubLogin": None}, {"GitHubLogin": ""}])
def test_no_default_organization(body: Any) -> None:
    assert answering(body).default_org() is None


@pytest.mark.parametrize("years", [-30, -1, 73])
def test_an_absurd_date_is_ignored_and_reported(years: int) -> None:
    client = answering(
        {"id": "u1"}, date=NOW.replace(year=NOW.year + years), wall_clock=lambda: NOW
    )
    client.identity()
    assert client.service_clock() is None
    ignored = client.ignored_date()
    assert ignored is not None
    assert ignored.code is Code.IMPLAUSIBLE_DATE


def test_the_last_year_of_the_calendar_is_ignored_too() -> None:
    client = answering({"id": "u1"}, date=datetime(9999, 12, 31, tzinfo=UTC))
    client.identity()
    assert client.service_clock() is None


def test_a_constant_date_does_not_stop_the_clock() -> None:
    passing = FakeTime()
    client = answering({"id": "t", "name": ""}, date=NOW, wall_clock=lambda: NOW, time=passing)
    for _ in range(10):
        client.get_task("acme", "t")
        passing.now += 60
    assert client.service_clock() == NOW + timedelta(minutes=10)
    assert client.ignored_date() is None
