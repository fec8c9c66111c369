"""An outage costs few creates, and the next apply creates the rest, once."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from reconciler.apply.throttle import Throttle
from tests.support import skipped_time
from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess, limit_creates
from tests.support.sandbox import as_tasks, prompts

TEXTS = prompts(200)
MOST = 10 + 20

OUTAGES = {
    "503: injected": Fault("status", status=503),
    "503: try later": Fault("status", status=503, headers={"Retry-After": "30"}, text="try later"),
    "500: injected": Fault("status", status=500, committed=True),
    "the connection": Fault("reset"),
    "timed out waiting": Fault("close", before=600),
}


@pytest.fixture(autouse=True)
def _requests_end_before_time_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise, the windows of requests that are being sent would close."""
    idle, sending = threading.Condition(), set[int]()
    enter, leave = Throttle.enter, Throttle.leave

    def entered(throttle: Throttle) -> int | None:
        generation = enter(throttle)
        if generation is not None:
            with idle:
                sending.add(threading.get_ident())
        return generation

    def left(throttle: Throttle) -> None:
        leave(throttle)
        with idle:
            sending.discard(threading.get_ident())
            idle.notify_all()

    def until_idle(_: float = 0.0) -> None:
        with idle:
            idle.wait_for(lambda: not sending)

    monkeypatch.setattr(Throttle, "enter", entered)
    monkeypatch.setattr(Throttle, "leave", left)
    monkeypatch.setattr(skipped_time, "_yield", until_idle)


@pytest.mark.parametrize("why", OUTAGES)
def test_an_outage_costs_few_creates(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    here.sandbox.write(as_tasks(TEXTS))
    here.server.set_rules(Rule("create", OUTAGES[why]))
    with monkeypatch.context() as patch:
        if OUTAGES[why].before:
            limit_creates(patch, 0.1)
        ended = here.run("apply", "--wait")
    assert ended.code == 1
    assert 0 < len(here.server.posts) <= MOST
    results = Counter(ended.results().values())
    assert results.keys() <= {"created", "unresolved", "notStarted"}
    assert results["notStarted"] >= len(TEXTS) - MOST
    held = [line for line in ended.stderr.splitlines() if "Pausing create requests for" in line]
    assert held
    assert all(why in line for line in held)
    here.server.set_rules()
    again = here.run("apply")
    assert again.code == 0, again.stderr
    here.assert_settled(TEXTS)


def test_an_outage_in_the_middle_ends_the_apply(here: InProcess) -> None:
    here.sandbox.write(as_tasks(TEXTS))
    here.server.set_rules(Rule("create", Fault("status", status=502), nth=tuple(range(60, 200))))
    ended = here.run("apply")
    results = Counter(ended.results().values())
    assert results["created"] >= 40
    assert results["notStarted"] >= 200 - 60 - MOST
    assert len(here.server.posts) <= 60 + MOST
    here.server.set_rules()
    assert here.run("apply").code == 0
    here.assert_settled(TEXTS)


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.soak)])
def test_a_few_lost_responses_stop_nothing(here: InProcess, count: int) -> None:
    """3 %, half of them committed."""
    texts = prompts(count)
    here.sandbox.write(as_tasks(texts))
    here.server.set_rules(
        Rule("create", Fault("reset"), nth=tuple(range(7, count, 66))),
        Rule("create", Fault("close", committed=True), nth=tuple(range(40, count, 66))),
    )
    ended = here.run("apply")
    assert ended.code == 0, ended.stderr
    assert set(ended.results().values()) == {"created"}
    here.sandbox.assert_exactly_one_each(texts)


@pytest.mark.parametrize("lost", [1, 2])
def test_one_lost_create_is_no_outage(here: InProcess, lost: int) -> None:
    """It is sent again, however long its settle time is. If that is lost, too, it is one."""
    texts = prompts(1)
    here.sandbox.settle = "10m"
    here.sandbox.write(as_tasks(texts))
    here.server.set_rules(Rule("create", Fault("reset"), nth=tuple(range(1, lost + 1))))
    ended = here.run("apply")
    result = "created" if lost == 1 else "notStarted"
    assert ended.results() == {"k0": result}
    assert len(here.server.posts) == 2
    assert here.run("apply").code == 0
    here.assert_settled(texts)
