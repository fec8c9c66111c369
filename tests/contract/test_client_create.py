"""The outcome of a create under every fault, and that it is sent only once."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.remarks import Remark
from reconciler.model.service import Created, CreateOutcome, NotSent, Refused, Unknown
from tests.support.client_tools import (
    OPEN,
    QUICK,
    TOKEN,
    FakeTime,
    Window,
    create_body,
    make_client,
)
from tests.support.diagnostics import in_words, worded
from tests.support.fault_script import Kind
from tests.support.fault_server import Fault, FaultServer, Habits, Rule

BEFORE_AND_AFTER = pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])


def create_with(fault: Fault, **settings: Any) -> tuple[CreateOutcome, FaultServer]:
    with (
        FaultServer([Rule("create", fault)]) as server,
        make_client(server.url, **settings) as client,
    ):
        return client.create_task("acme", create_body(), OPEN), server


def count(server: FaultServer) -> int:
    return sum(len(ids) for ids in server.tasks_by_work().values())


def test_a_successful_create_returns_the_id() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        outcome = client.create_task("acme", create_body(), OPEN)
    assert outcome == Created(server.tasks_by_work()["Do it."][0])


@BEFORE_AND_AFTER
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("reset"), "reset"),
        (Fault("close"), "connection"),
        *((Fault("status", status=s), f"{s}: injected") for s in (408, 409, 425, 499)),
        *((Fault("status", status=s), f"{s}: injected") for s in (500, 502, 503, 504, 599)),
        (Fault("html", status=502), "502, text/html"),
        (Fault("html", status=200), "200, text/html"),
        (Fault("status", status=204), "204"),
        *((Fault("redirect", status=s, headers={"Location": "/"}), str(s)) for s in (301, 302)),
        *((Fault("redirect", status=s, headers={"Location": "/"}), str(s)) for s in (303, 307)),
        (Fault("redirect", status=308, headers={"Location": "https://evil.test/"}), "308"),
        (Fault("redirect", status=302), "302"),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_an_ambiguous_failure_is_an_unknown_outcome(
    *, fault: Fault, why: str, committed: bool
) -> None:
    outcome, server = create_with(Fault(**{**vars(fault), "committed": committed}))
    assert isinstance(outcome, Unknown)
    assert why in in_words(outcome.why)
    assert len(server.posts) == 1
    assert count(server) == int(committed)


@pytest.mark.parametrize("kind", ["cut", "garbage", "empty"])
def test_a_response_without_an_id_is_an_unknown_outcome(kind: Kind) -> None:
    outcome, server = create_with(Fault(kind))
    assert isinstance(outcome, Unknown)
    assert len(server.posts) == count(server) == 1


@pytest.mark.parametrize("fault", [Fault(before=900), Fault(after=900)], ids=["commit", "answer"])
def test_a_timeout_is_an_unknown_outcome(fault: Fault) -> None:
    outcome, server = create_with(fault, timeouts=QUICK)
    assert outcome == Unknown(Remark("timeout", {"where": ""}, Code.NO_RESPONSE))
    assert len(server.posts) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422, 451])
def test_other_4xx_are_refusals_with_the_message_of_the_service(status: int) -> None:
    outcome, server = create_with(Fault("status", status=status, text="prompt\tis bad \x1b[0m"))
    assert isinstance(outcome, Refused)
    assert outcome.status == status
    assert in_words(outcome.why) == r"prompt is bad \x1b[0m"
    assert len(server.posts) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("html", status=403),
        Fault("raw", status=403, text='{"message": "blocked by a gateway"}'),
        Fault("raw", status=403, text='{"code": "403", "message": "blocked by a gateway"}'),
        Fault("raw", status=403, text='{"code": 400, "message": "another status"}'),
        Fault("raw", status=400, text='{"code": 400}'),
    ],
    ids=["html", "no-code", "text-code", "other-code", "no-message"],
)
def test_a_4xx_of_a_gateway_is_an_unknown_outcome(fault: Fault) -> None:
    outcome, server = create_with(replace(fault, committed=True))
    assert isinstance(outcome, Unknown)
    assert len(server.posts) == count(server) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "req-123"}',
        '{"taskID": "t1"}',
        '{"taskId": 7}',
        '{"taskId": ""}',
        '{"taskId": " "}',
        '{"taskId": ".."}',
        '{"taskId": "a/b"}',
        '{"taskId": "a\\nb"}',
        f'{{"taskId": "{"a" * 5000}"}}',
        '["t1"]',
        f'{{"taskId": "{TOKEN}"}}',
    ],
)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_only_a_valid_task_id_is_accepted(text: str, status: int) -> None:
    outcome, server = create_with(Fault("raw", status=status, text=text, committed=True))
    assert isinstance(outcome, Unknown)
    assert TOKEN not in in_words(outcome.why)
    assert count(server) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "soon"}, None)],
)
@BEFORE_AND_AFTER
@pytest.mark.parametrize("status", [429, 503])
def test_a_status_with_an_unknown_outcome_may_say_when_to_try_again(
    headers: dict[str, str], seconds: float | None, status: int, *, committed: bool
) -> None:
    fault = Fault("status", status=status, headers=headers, committed=committed)
    outcome, server = create_with(fault)
    assert isinstance(outcome, Unknown)
    assert in_words(outcome.why).startswith(f"{status}: injected")
    assert (outcome.retry_after, outcome.throttled) == (seconds, status == 429)
    assert len(server.posts) == 1
    assert count(server) == int(committed)


def test_an_expired_create_is_not_sent() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        assert isinstance(client.create_task("acme", create_body("one"), OPEN), Created)
        outcome = client.create_task("acme", create_body("two"), Window(0))
        assert isinstance(outcome, NotSent)
        assert isinstance(client.create_task("acme", create_body("three"), OPEN), Created)
        assert len(server.posts) == 2
        assert server.connections == 2  # the one that was late is closed


def test_the_deadline_is_checked_after_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted = []

        class Accepting:
            def is_open(self) -> bool:
                accepted.append(listener.accept()[0])
                return False

        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = make_client(url, timeouts=QUICK)
        outcome = client.create_task("acme", create_body(), Accepting())
        assert isinstance(outcome, NotSent)
        assert [sock.recv(1) for sock in accepted] == [b""]
        accepted[0].close()


def test_a_timeout_resets_the_connection() -> None:
    """The kernel drops what it has not sent, so the rest of the request cannot arrive later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = make_client(url, timeouts=QUICK)
        assert isinstance(client.create_task("acme", create_body(), OPEN), Unknown)
        with listener.accept()[0] as sock, pytest.raises(ConnectionResetError):
            list(iter(lambda: sock.recv(65536), b""))


@pytest.mark.parametrize("is_answered", [True, False])
def test_only_a_create_without_a_response_resets_the_connection(is_answered: bool) -> None:
    body = b'{"taskId": "0d1a3c5e-6b7f-4a8b-9c0d-1e2f3a4b5c6d"}'
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    responses = [head % len(body) + body] * (1 + is_answered)

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as sock:
            for response in responses:
                sock.recv(65536)
                sock.sendall(response)
            list(iter(lambda: sock.recv(65536), b""))

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with make_client(url, timeouts=QUICK) as client:
            served = pool.submit(serve, listener)
            outcomes = [client.create_task("acme", create_body(), OPEN) for _ in range(2)]
        assert [type(outcome) for outcome in outcomes] == [
            Created,
            Created if is_answered else Unknown,
        ]
        assert isinstance(served.exception(60), ConnectionResetError) != is_answered


def test_a_5xx_includes_the_request_id() -> None:
    outcome, _ = create_with(
        Fault("status", status=500, headers={"X-Pulumi-Request-ID": "abc-123"})
    )
    assert worded(outcome) == Unknown("500: injected (X-Pulumi-Request-ID abc-123)")


def test_the_service_refuses_an_empty_prompt() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        outcome = client.create_task("acme", create_body("  "), OPEN)
    assert worded(outcome) == Refused("Bad Request: prompt is required", 400)


def test_a_dropped_idle_connection_causes_no_second_post() -> None:
    faults = [Rule("create", Fault("trap"), nth=(1,))]
    with FaultServer(faults) as server, make_client(server.url) as client:
        assert isinstance(client.create_task("acme", create_body("one"), OPEN), Created)
        assert isinstance(client.create_task("acme", create_body("two"), OPEN), Unknown)
        assert server.traps_sprung == 1
        assert [re.findall("one|two", body) for body in server.posts] == [["one"]]
        assert server.connections == 1


@pytest.mark.parametrize(("idle", "connections"), [(2.9, 1), (3.1, 2)])
def test_a_create_does_not_use_a_long_idle_connection(idle: float, connections: int) -> None:
    time = FakeTime()
    with FaultServer() as server, make_client(server.url, time) as client:
        client.create_task("acme", create_body("one"), OPEN)
        time.now += idle
        client.create_task("acme", create_body("two"), OPEN)
        assert server.connections == connections


def test_a_read_may_use_an_idle_connection() -> None:
    time = FakeTime()
    with FaultServer() as server, make_client(server.url, time) as client:
        client.identity()
        time.now += 60.0
        client.default_org()
        assert server.connections == 1


def test_connections_are_shared_by_threads_and_kept() -> None:
    with FaultServer(habits=Habits(latency=0.005)) as server, make_client(server.url) as client:
        with ThreadPoolExecutor(5) as pool:
            outcomes = list(
                pool.map(lambda n: client.create_task("acme", create_body(f"{n}"), OPEN), range(60))
            )
        assert all(isinstance(outcome, Created) for outcome in outcomes)
        assert len({ids[0] for ids in server.tasks_by_work().values()}) == 60
        assert server.connections <= 5


def test_a_create_sends_the_inputs() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        client.create_task("a c/me?", create_body("Grüße"), OPEN)
        call = server.of("create")[0]
    assert call.path == "/api/preview/agents/a%20c%2Fme%3F/tasks"
    assert call.headers["Accept"] == "application/vnd.pulumi+8"
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["User-Agent"].startswith("taskctl/")
    assert '"Grüße"' in call.body
