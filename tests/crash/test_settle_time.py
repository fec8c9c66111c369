"""How long an attempt stays open: whoever looks, by the longer settle time, and by no clock but
that of the process that looks. Time is simulated."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.stop import Stop
from reconciler.system_clock import SystemClock
from tests.support.crash_points import run
from tests.support.fault_server import Call, Fault
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

WINDOW = 10.0
NOTHING_DONE = Fault("status", status=503)


@dataclass
class SimulatedTime:
    """`begins` is when it begins; `passed` is in seconds. `signal`: after that many seconds, a
    command that waits is interrupted as by SIGTERM."""

    begins: datetime = field(default_factory=lambda: datetime.now(UTC))
    passed: float = 0.0
    boot_offset: float = field(default_factory=SystemClock().boot)
    signal: float | None = None
    _lock: Any = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        return self.begins + timedelta(seconds=self.passed)

    def boot(self) -> float:
        return self.boot_offset + self.passed

    def wait(self, seconds: float) -> None:
        with self._lock:
            self.passed += max(0.0, seconds)


def simulate(
    monkeypatch: pytest.MonkeyPatch, begins: datetime | None = None, server: Any = None
) -> SimulatedTime:
    """Commands in this process, and the fault `server`, now use this clock."""
    time = SimulatedTime() if begins is None else SimulatedTime(begins)

    def wait(self: Stop, seconds: float) -> bool:
        time.wait(seconds)
        if time.signal is not None and time.passed >= time.signal:
            self.set(143)
        return self.exit_code is None

    monkeypatch.setattr(SystemClock, "now", lambda _: time.now())
    monkeypatch.setattr(SystemClock, "boot", lambda _: time.boot())
    monkeypatch.setattr(Stop, "wait", wait)
    if server is not None:
        monkeypatch.setattr(server.world, "_clock", lambda: time.now().timestamp())
    return time


def killed_before_it_sends(here: InProcess, settle: str) -> None:
    """The attempt is journaled, and its request never leaves."""
    here.sandbox.write(as_tasks({"k0": "do 0"}))
    here.sandbox.settle = settle
    words = here.sandbox.arguments("apply", "--parallelism", "1")
    whole = here.within("whole")
    whole.sandbox.write(as_tasks({"k0": "do otherwise"}))
    points = run(words, cwd=whole.sandbox.folder).points
    sends = [p for p in points if (p.operation, p.phase) == ("send", "before") and "POST" in p.what]
    assert run(words, kill_at=sends[0].number, cwd=here.sandbox.folder).killed
    assert here.server.tasks_by_work().keys() == {"do otherwise"}


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch, here: InProcess) -> SimulatedTime:
    return simulate(monkeypatch, server=here.server)


def seconds_until_sent(here: InProcess, time: SimulatedTime, *words: str) -> float:
    """How long an apply waits before it sends the create."""
    began, sent = time.passed, list[float]()

    def choose(call: Call) -> None:
        if call.endpoint == "create":
            sent.append(time.passed)

    here.server.choose = choose
    ended = here.run("apply", *words)
    assert ended.code == 0, ended.stdout + ended.stderr
    assert len(sent) == 1
    return sent[0] - began


@pytest.mark.parametrize("factor", [1.0, 10.0, 0.5])
def test_another_process_counts_from_when_it_took_the_lock(
    here: InProcess, time: SimulatedTime, factor: float
) -> None:
    """Even on the same boot: two machines that were resumed from one snapshot share its ID, and
    their clocks differ."""
    killed_before_it_sends(here, "30s")
    time.boot_offset *= factor
    assert 30 + WINDOW <= seconds_until_sent(here, time) < 60


@pytest.mark.parametrize(("sent_with", "today"), [("40s", "5s"), ("5s", "40s")])
def test_the_longer_settle_time_counts(
    here: InProcess, time: SimulatedTime, sent_with: str, today: str
) -> None:
    killed_before_it_sends(here, sent_with)
    here.sandbox.settle = today
    assert 40 + 5 <= seconds_until_sent(here, time) < 70


def test_an_apply_that_is_cancelled_again_and_again_gets_there(
    here: InProcess, time: SimulatedTime
) -> None:
    """Each one waits for a part of the settle time, which the next ones need not wait for again."""
    killed_before_it_sends(here, "150s")
    for _ in range(3):
        time.signal = time.passed + 45
        assert here.run("apply").code == 143
        assert "do 0" not in here.server.tasks_by_work()
    time.signal = None
    assert seconds_until_sent(here, time) <= 25 + 1
    assert len(here.server.tasks_by_work()["do 0"]) == 1


@pytest.mark.parametrize("settle", ["0s", "1ms", "99ms"])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_settle_time_too_short_to_send_anything_is_an_error(
    here: InProcess, settle: str, command: str
) -> None:
    here.sandbox.settle = settle
    ended = here.run(command)
    assert ended.code != 0
    assert "settle" in ended.stdout + ended.stderr
    assert not here.server.posts


def test_a_create_of_a_period_that_ended_is_not_sent_again(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response is lost ten seconds before midnight; the next apply creates that day's task."""
    time = simulate(monkeypatch, datetime(2026, 11, 25, 23, 59, 50, tzinfo=UTC), here.server)
    here.sandbox.settle = "30s"
    entry = {"every": "day", "message": "do {{ period.name }}"}
    manifest = {"version": 1, "orgName": "acme", "tasks": {"daily": entry}}
    (here.sandbox.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))
    failing = True

    def choose(call: Call) -> Fault | None:
        return NOTHING_DONE if call.endpoint == "create" and failing else None

    here.server.choose = choose
    here.run("apply")
    assert time.now().day == 26
    assert len(here.server.posts) == 1
    failing = False
    ended = here.run("apply")
    assert ended.code == 0, ended.stdout
    assert list(here.server.tasks_by_work()) == ["do 2026-11-26"]
