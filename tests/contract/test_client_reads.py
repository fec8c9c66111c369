"""Reading from the service: retries, complete lists, its clock, and helpful errors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.model.service import TaskPage
from reconciler.remote.retries import RetryPolicy
from tests.support.client_tools import (
    OPEN,
    PATIENT,
    QUICK,
    FakeTime,
    cause,
    create_body,
    make_client,
)
from tests.support.diagnostics import in_words, raises_with
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.skipped_time import skipped_epoch


def fill(server: FaultServer, number: int) -> None:
    with make_client(server.url) as client:
        for n in range(number):
            client.create_task("acme", create_body(f"job {n}"), OPEN)


@pytest.mark.parametrize(
    "fault",
    [Fault("reset"), Fault("close"), Fault("cut"), Fault(after=900), Fault("html", status=502)]
    + [Fault("status", status=s) for s in (408, 425, 429, 500, 502, 503, 504)],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
@pytest.mark.parametrize("endpoint", ["user", "list", "patch"])
def test_a_transient_failure_is_retried(endpoint: str, fault: Fault) -> None:
    time = FakeTime()
    with FaultServer([Rule(endpoint, fault, nth=(1, 2))]) as server:
        fill(server, 1)
        task_id = server.tasks_by_work()["job 0"][0]
        timeouts = QUICK if fault.after else PATIENT
        with make_client(server.url, time, timeouts=timeouts) as client:
            if endpoint == "user":
                assert client.identity().id.startswith("user-")
            elif endpoint == "list":
                assert [t.id for page in client.list_tasks("acme") for t in page] == [task_id]
            else:
                assert client.patch_task("acme", task_id, {"name": "new"}).name == "new"
        assert len(server.of(endpoint)) == 3
    assert time.naps == [1.0, 2.0]


def test_retries_are_limited() -> None:
    time = FakeTime()
    fault = Fault("status", status=503, headers={"X-Pulumi-Request-ID": "abc-1"})
    with FaultServer([Rule("user", fault)]) as server, make_client(server.url, time) as client:
        with raises_with(RemoteError, "abc-1") as caught:
            client.identity()
        assert len(server.of("user")) == 4
    assert cause(caught) == (Code.SERVICE_FAILED, "")
    assert caught.value.status == 503
    assert time.naps == [1.0, 2.0, 4.0]


def test_retry_after_is_respected_with_jitter() -> None:
    time = FakeTime()
    fault = Fault("status", status=429, headers={"Retry-After": "5"})
    with FaultServer([Rule("user", fault, nth=(1,))]) as server:
        make_client(server.url, time).identity()
    assert time.naps == [6.0]


def test_a_429_with_a_long_wait_fails_and_names_the_wait() -> None:
    time = FakeTime()
    fault = Fault("status", status=429, headers={"Retry-After": "3600"})
    with FaultServer([Rule("user", fault)]) as server:
        with pytest.raises(RemoteError) as caught:
            make_client(server.url, time).identity()
        assert len(server.of("user")) == 1
    assert cause(caught) == (Code.RATE_LIMITED, "seconds")
    assert caught.value.diagnostics[0].args["seconds"] == 3600
    assert time.naps == []


@pytest.mark.parametrize("status", [400, 401, 403, 501])
def test_a_refusal_is_not_retried(status: int) -> None:
    with FaultServer([Rule("user", Fault("status", status=status, text="No, sir"))]) as server:
        with raises_with(RemoteError, f"{status}: No, sir"):
            make_client(server.url).identity()
        assert len(server.of("user")) == 1


@pytest.mark.parametrize(
    ("status", "code", "case"),
    [
        (401, Code.UNAUTHORIZED, ""),
        (403, Code.FORBIDDEN, ""),
        (404, Code.NOT_FOUND, "organization"),
        (500, Code.SERVICE_FAILED, ""),
    ],
)
def test_errors_for_an_organization_name_its_address(status: int, code: Code, case: str) -> None:
    with FaultServer([Rule("list", Fault("status", status=status))]) as server:
        with pytest.raises(RemoteError) as caught:
            next(make_client(server.url).list_tasks("acme"))
        assert cause(caught) == (code, case)
        where = f"{server.url}/api/preview/agents/acme/tasks"
        assert caught.value.diagnostics[0].args["where"] == where
        assert caught.value.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with FaultServer() as other:
        location = f"{other.url.replace('//', '//user:pass@')}/api/user?secret=1"
        fault = Fault("redirect", status=status, headers={"Location": location})
        with FaultServer([Rule("user", fault)]) as server:
            with pytest.raises(RemoteError) as caught:
                make_client(server.url).identity()
            assert cause(caught) == (Code.REDIRECTED, "")
            assert in_words(caught.value.diagnostics[0].args["target"]) == f"{other.url}/api/user"
            assert len(server.of("user")) == 1
        assert other.connections == 0


def test_a_gateway_error_page_is_an_error() -> None:
    with FaultServer([Rule("user", Fault("html", status=200))]) as server:
        with raises_with(RemoteError, r"text/html.*DOCTYPE") as caught:
            make_client(server.url).identity()
        assert len(server.of("user")) == 1
    assert cause(caught) == (Code.NOT_THE_SERVICE, "")


@pytest.mark.parametrize("endpoint", ["user", "list", "get", "events", "patch"])
def test_a_response_without_the_expected_property_is_an_error(endpoint: str) -> None:
    with FaultServer([Rule(endpoint, Fault("empty"))]) as server:
        fill(server, 1)
        task_id = server.tasks_by_work()["job 0"][0]
        client = make_client(server.url)
        calls: dict[str, Callable[[], object]] = {
            "user": client.identity,
            "list": lambda: list(client.list_tasks("acme")),
            "get": lambda: client.get_task("acme", task_id),
            "events": lambda: client.first_message("acme", task_id),
            "patch": lambda: client.patch_task("acme", task_id, {"name": "x"}),
        }
        with pytest.raises(RemoteError) as caught:
            calls[endpoint]()
        assert cause(caught)[0] is Code.UNREADABLE_RESPONSE


@pytest.mark.parametrize("size", [1, 2, 3, 4, 1000])
def test_the_list_is_read_to_its_end_newest_first(size: int) -> None:
    with FaultServer() as server:
        fill(server, 4)
        pages = list(make_client(server.url, page_size=size).list_tasks("acme"))
        calls = server.of("list")
    assert [t.raw["name"] for page in pages for t in page] == ["job 3", "job 2", "job 1", "job 0"]
    assert len(calls) == -(-4 // size)
    assert all(f"sortBy=created&sortDirection=desc&pageSize={size}" in c.path for c in calls)


def test_an_empty_list_is_one_empty_page() -> None:
    with FaultServer() as server:
        assert list(make_client(server.url).list_tasks("acme")) == [TaskPage(())]


def test_no_page_is_read_ahead() -> None:
    with FaultServer() as server:
        fill(server, 9)
        pages = make_client(server.url, page_size=2).list_tasks("acme")
        next(pages)
        next(pages)
        assert len(server.of("list")) == 2


def test_a_later_page_fails_like_any_other() -> None:
    time = FakeTime()
    with FaultServer([Rule("list", Fault("status", status=403), nth=(2,))]) as server:
        fill(server, 3)
        pages = make_client(server.url, time, page_size=2).list_tasks("acme")
        assert len(next(pages).tasks) == 2
        with raises_with(RemoteError, "403"):
            next(pages)


def test_unknown_fields_are_kept() -> None:
    with FaultServer() as server:
        fill(server, 1)
        task = next(make_client(server.url).list_tasks("acme")).tasks[0]
    assert task.raw["someNewerField"] == {"kept": True}


def test_a_response_about_another_task_is_an_error() -> None:
    """A response about one task must never be mistaken for that of another."""

    def mixed_up(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b'{"id": "other", "name": "not this one"}']

    client = make_client("local", app=mixed_up)
    for call in (client.get_task, lambda org, task: client.patch_task(org, task, {"name": "x"})):
        with pytest.raises(RemoteError) as caught:
            call("acme", "mine")
        assert cause(caught) == (Code.UNREADABLE_RESPONSE, "other-task")


def test_a_404_is_none_for_a_task_and_an_error_otherwise() -> None:
    """Events that cannot be read may have a reference."""
    with FaultServer() as server, make_client(server.url) as client:
        assert client.get_task("acme", "nope/../x") is None
        assert server.of("get")[0].task_id == "nope/../x"
        for call in (
            lambda: client.first_message("acme", "nope"),
            lambda: client.patch_task("acme", "nope", {"name": "x"}),
        ):
            with raises_with(RemoteError, "acme/tasks/nope") as caught:
                call()
            assert caught.value.status == 404


def test_a_proxys_404_proves_nothing() -> None:
    faults = [Rule(e, Fault("html", status=404)) for e in ("get", "events")]
    with FaultServer(faults) as server, make_client(server.url) as client:
        with pytest.raises(RemoteError):
            client.get_task("acme", "a")
        with pytest.raises(RemoteError):
            client.first_message("acme", "a")


def test_the_first_message_is_found_on_a_later_page() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        fill(server, 1)
        task = server.world.tasks[0]
        noise = [{"id": f"n{n}", "type": "later", "isSynthetic": False} for n in range(50)]
        task.events[:0] = noise
        found = client.first_message("acme", task.id)
        assert len(server.of("events")) == 3
        assert len(list(client.events("acme", task.id, page_size=7))) == 52
    assert found is not None
    assert found.text == "job 0"


def test_the_identity_is_requested_once() -> None:
    with FaultServer() as server, make_client(server.url) as client:
        assert client.identity() == client.identity()
        assert len(server.of("user")) == 1


def test_the_default_organization() -> None:
    with FaultServer(habits=Habits(default_org="umbrella")) as server:
        assert make_client(server.url).default_org() == "umbrella"
    with FaultServer([Rule("default-org", Fault("status", status=400))]) as server:
        assert make_client(server.url).default_org() is None


@pytest.mark.parametrize("offset", [-3600.0, 0.0, 90.0])
def test_the_service_clock_advances_between_responses(offset: float) -> None:
    time = FakeTime()
    with FaultServer(habits=Habits(clock_offset=offset)) as server:
        client = make_client(server.url, time)
        assert client.service_clock() is None
        client.identity()
        before = client.service_clock()
        time.now += 10.0
        after = client.service_clock()
    assert before is not None
    assert after == before + timedelta(seconds=10)
    # Other tests in this process may have skipped time.
    ahead = before.timestamp() - skipped_epoch()
    assert abs(ahead - offset) < 20


def test_a_failed_response_does_not_set_the_clock() -> None:
    with FaultServer([Rule("user", Fault("html", status=200))]) as server:
        client = make_client(server.url)
        with pytest.raises(RemoteError):
            client.identity()
        assert client.service_clock() is None


def test_a_response_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as server:
        client = make_client(server.url, policy=RetryPolicy(tries=1))
        monkeypatch.setattr("reconciler.model.limits.RESPONSE_BYTES", 10)
        with pytest.raises(RemoteError) as caught:
            client.identity()
        assert cause(caught) == (Code.NO_RESPONSE, "large")
