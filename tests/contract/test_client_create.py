"""What becomes of a create, for everything that can befall it; and that it is sent just once."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from reconciler.model.service import Created, CreateOutcome, NotSent, Refused, Unknown
from tests.support.client_tools import OPEN, TOKEN, FakeTime, Window, create_body, make_client
from tests.support.fault_script import Kind
from tests.support.fault_server import Fault, FaultServer, Habits, Rule

BEFORE_AND_AFTER = pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])


def create_with(fault: Fault) -> tuple[CreateOutcome, FaultServer]:
    with FaultServer([Rule("create", fault)]) as server, make_client(server.url) as client:
        return client.create_task("acme", create_body(), OPEN), server


def count(server: FaultServer) -> int:
    return sum(len(ids) for ids in server.tasks_by_work().values())


def test_a_good_answer_gives_the_id() -> None:
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
def test_in_doubt_it_is_unknown(*, fault: Fault, why: str, committed: bool) -> None:
    outcome, server = create_with(Fault(**{**vars(fault), "committed": committed}))
    assert isinstance(outcome, Unknown)
    assert why in outcome.why
    assert len(server.posts) == 1
    assert count(server) == int(committed)


@pytest.mark.parametrize("kind", ["cut", "garbage", "empty"])
def test_an_answer_without_an_id_is_unknown(kind: Kind) -> None:
    outcome, server = create_with(Fault(kind))
    assert isinstance(outcome, Unknown)
    assert len(server.posts) == count(server) == 1


@pytest.mark.parametrize("fault", [Fault(before=0.8), Fault(after=0.8)], ids=["commit", "answer"])
def test_an_answer_later_than_the_timeout_is_unknown(fault: Fault) -> None:
    outcome, server = create_with(fault)
    assert outcome == Unknown("timed out waiting for the response")
    assert len(server.posts) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422, 451])
def test_other_4xx_are_a_no_in_the_services_own_words(status: int) -> None:
    outcome, server = create_with(Fault("status", status=status, text="prompt\tis bad \x1b[0m"))
    assert isinstance(outcome, Refused)
    assert outcome.status == status
    assert outcome.why == r"prompt is bad \u001b[0m"
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
def test_a_4xx_that_is_not_the_services_own_proves_nothing(fault: Fault) -> None:
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
        '["t1"]',
        f'{{"taskId": "{TOKEN}"}}',
    ],
)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_only_a_task_id_is_one(text: str, status: int) -> None:
    outcome, server = create_with(Fault("raw", status=status, text=text, committed=True))
    assert isinstance(outcome, Unknown)
    assert TOKEN not in outcome.why
    assert count(server) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, None), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "soon"}, None)],
)
@BEFORE_AND_AFTER
def test_429_says_nothing_of_whether_a_task_exists(
    headers: dict[str, str], seconds: float | None, *, committed: bool
) -> None:
    outcome, server = create_with(Fault("status", status=429, headers=headers, committed=committed))
    assert outcome == Unknown("429: injected", seconds, throttled=True)
    assert len(server.posts) == 1
    assert count(server) == int(committed)


def test_too_late_it_is_not_sent() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        assert isinstance(client.create_task("acme", create_body("one"), OPEN), Created)
        outcome = client.create_task("acme", create_body("two"), Window(0))
        assert isinstance(outcome, NotSent)
        assert isinstance(client.create_task("acme", create_body("three"), OPEN), Created)
        assert len(server.posts) == 2
        assert server.connections == 2  # the one that was late is closed


def test_the_window_is_asked_once_the_connection_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted = []

        class Accepting:
            def is_open(self) -> bool:
                accepted.append(listener.accept()[0])
                return False

        client = make_client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        outcome = client.create_task("acme", create_body(), Accepting())
        assert isinstance(outcome, NotSent)
        assert [sock.recv(1) for sock in accepted] == [b""]
        accepted[0].close()


def test_giving_up_resets_the_connection() -> None:
    """What the kernel still holds of the request is dropped, and cannot arrive later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = make_client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert isinstance(client.create_task("acme", create_body(), OPEN), Unknown)
        with listener.accept()[0] as sock, pytest.raises(ConnectionResetError):
            list(iter(lambda: sock.recv(65536), b""))


def test_a_5xx_names_the_request_id() -> None:
    outcome, _ = create_with(
        Fault("status", status=500, headers={"X-Pulumi-Request-ID": "abc-123"})
    )
    assert outcome == Unknown("500: injected (X-Pulumi-Request-ID abc-123)")


def test_the_service_itself_refuses_an_empty_prompt() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        outcome = client.create_task("acme", create_body("  "), OPEN)
    assert outcome == Refused("Bad Request: prompt is required", 400)


def test_a_connection_dropped_as_it_is_used_again_costs_no_second_post() -> None:
    faults = [Rule("create", Fault("trap"), nth=(1,))]
    with FaultServer(faults) as server, make_client(server.url) as client:
        assert isinstance(client.create_task("acme", create_body("one"), OPEN), Created)
        assert isinstance(client.create_task("acme", create_body("two"), OPEN), Unknown)
        assert server.traps_sprung == 1
        assert [re.findall("one|two", body) for body in server.posts] == [["one"]]
        assert server.connections == 1


@pytest.mark.parametrize(("idle", "connections"), [(2.9, 1), (3.1, 2)])
def test_a_create_takes_no_connection_that_idled_for_long(idle: float, connections: int) -> None:
    time = FakeTime()
    with FaultServer() as server, make_client(server.url, time) as client:
        client.create_task("acme", create_body("one"), OPEN)
        time.now += idle
        client.create_task("acme", create_body("two"), OPEN)
        assert server.connections == connections


def test_a_read_may_take_one_that_idled() -> None:
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


def test_what_is_sent() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        client.create_task("a c/me?", create_body("Grüße \ud800"), OPEN)
        call = server.of("create")[0]
    assert call.path == "/api/preview/agents/a%20c%2Fme%3F/tasks"
    assert call.headers["Accept"] == "application/vnd.pulumi+8"
    assert call.headers["Content-Type"] == "application/json"
    assert call.headers["User-Agent"].startswith("taskctl/")
    assert "\\ud800" in call.body
