"""Reading the Neo token budget: one request, and a failure is not an error."""

from __future__ import annotations

import pytest

from reconciler.model.budget import Budget
from reconciler.model.remarks import Remark, remark
from reconciler.remote import client as remote_client
from tests.support.client_tools import TOKEN, FakeTime, make_client
from tests.support.diagnostics import in_words
from tests.support.fault_server import Fault, FaultServer, Habits, Rule

GOOD = {"consumedTokens": 5, "effectiveAllowanceTokens": 9, "exhausted": False, "windowEnd": 0}


def test_a_budget_is_read() -> None:
    with FaultServer(habits=Habits(budget=GOOD)) as server, make_client(server.url) as client:
        assert client.token_budget("a/b") == Budget("a/b", 5, 9, exhausted=False)
        assert [call.path for call in server.calls] == ["/api/orgs/a%2Fb/neo/token-budget"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("reset"), Fault("close"), Fault("cut"), Fault("html", status=502), Fault("empty"),
        Fault("garbage"), Fault("html", status=404), Fault("html"),
        Fault("redirect", status=302, headers={"Location": "http://127.0.0.1:1/"}),
        *(Fault("status", status=s, text=f"no \x1b[2J {TOKEN}") for s in (400, 401, 403, 404, 429)),
        *(Fault("status", status=s, headers={"Retry-After": "1"}) for s in (429, 500, 503)),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)  # fmt: skip
def test_any_other_response_is_not_retried_and_gives_the_reason(fault: Fault) -> None:
    clock = FakeTime()
    with FaultServer([Rule("budget", fault)], Habits(budget=GOOD)) as server:
        told = make_client(server.url, clock).token_budget("acme")
        assert len(server.of("budget")) == 1
    assert isinstance(told, Remark)
    words = in_words(told)
    assert words
    assert TOKEN not in words
    assert "\x1b" not in words
    assert clock.naps == []


@pytest.mark.parametrize("answer", [[], "x", 1, {}, {**GOOD, "consumedTokens": -1}, {"a": 10**500}])
def test_a_response_of_another_shape_is_not_a_budget(answer: object) -> None:
    with FaultServer(habits=Habits(budget=answer)) as server, make_client(server.url) as client:
        assert client.token_budget("acme") == remark("budget.unreadable")


def test_a_slow_service_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_client, "BUDGET_TIMEOUT", 0.2)
    with FaultServer([Rule("budget", Fault(before=900))], Habits(budget=GOOD)) as server:
        assert isinstance(make_client(server.url).token_budget("acme"), Remark)
