"""While the service does not answer, stderr says what is waited for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO

import pytest

from reconciler.cli.console import live
from reconciler.cli.console.live import BETWEEN_LINES, WaitNotes
from reconciler.cli.console.terminal import write_stderr
from reconciler.remote.exchange import InFlight
from tests.support.fault_server import Call, Fault
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

DOWN = Fault("status", status=500)
LIST = "GET /api/preview/agents/acme/tasks"


@dataclass
class Ticks:
    """The notes of the command that runs, shown whenever a request arrives: no time passes."""

    notes: list[WaitNotes] = field(default_factory=list)
    answers: dict[str, list[Fault]] = field(default_factory=dict)

    def choose(self, call: Call) -> Fault | None:
        self.notes[-1].tick()
        left = self.answers.get(call.endpoint)
        return left.pop(0) if left else None


@pytest.fixture
def ticks(here: InProcess, monkeypatch: pytest.MonkeyPatch) -> Ticks:
    made = Ticks()

    monkeypatch.setattr(WaitNotes, "start", lambda notes: made.notes.append(notes))
    monkeypatch.setattr(WaitNotes, "stop", lambda _: None)
    monkeypatch.setattr(live, "PATIENCE", 0.0)
    monkeypatch.setattr(live, "BETWEEN_LINES", 0.0)
    here.sandbox.write(as_tasks({"k1": "do 1"}))
    here.server.choose = made.choose
    return made


def test_a_read_shows_how_it_failed_and_how_often(here: InProcess, ticks: Ticks) -> None:
    ticks.answers["list"] = [DOWN, DOWN]
    ended = here.run("plan")
    assert ended.code == 0
    rows = [row for row in ended.stderr.splitlines() if LIST in row]
    assert rows == [
        f"Waiting for the service: {LIST}, 0 s",
        f"Waiting for the service: {LIST}, 0 s (HTTP 500, try 2)",
        f"Waiting for the service: {LIST}, 0 s (HTTP 500, try 3)",
    ]


def test_a_create_is_waited_for_too(here: InProcess, ticks: Ticks) -> None:
    ended = here.run("apply")
    assert ended.results() == {"k1": "created"}
    assert "Waiting for the service: POST /api/preview/agents/acme/tasks, 0 s\n" in ended.stderr
    assert "Waiting" not in ended.stdout
    assert here.run("plan", "-q").stderr == ""


def test_an_unknown_outcome_of_a_create_names_the_status(here: InProcess, ticks: Ticks) -> None:
    ticks.answers["create"] = [DOWN]
    ended = here.run("apply")
    assert ended.results() == {"k1": "created"}
    assert "500" in ended.stderr.replace(LIST, "")


@dataclass
class Time:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_has_a_line_after_three_seconds_and_then_rarely(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 3.0)
    time = Time()
    pending = InFlight(time)
    notes = WaitNotes(pending.longest, in_place=False, clock=time)
    told = []
    with pending.request(lambda: "GET /a") as request, pending.request(lambda: "GET /b"):
        for second in range(70):
            time.now = second
            if second == 10:
                request.failed("HTTP 503")
            notes.tick()
            told += [(second, row) for row in capsys.readouterr().err.splitlines()]
    notes.tick()
    assert BETWEEN_LINES == 30.0
    assert told == [
        (3, "Waiting for the service: GET /a, 3 s"),
        (33, "Waiting for the service: GET /a, 33 s (HTTP 503, try 2)"),
        (63, "Waiting for the service: GET /a, 63 s (HTTP 503, try 2)"),
    ]
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_row_until_something_else_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 3.0)
    screen, time = StringIO(), Time()
    monkeypatch.setattr(sys, "stderr", screen)
    pending = InFlight(time)
    notes = WaitNotes(pending.longest, in_place=True, clock=time)

    def written(act: Callable[[], object]) -> str:
        screen.seek(0)
        screen.truncate()
        act()
        return screen.getvalue()

    with pending.request(lambda: "GET /\x1b[31m" + "a" * 100):
        assert written(notes.tick) == ""
        time.now = 4.0
        row = written(notes.tick)
        assert row.startswith("\rWaiting for the service: GET /\\x1b[31maaa")
        assert row.endswith("a…\x1b[K")
        assert len(row) <= len("\r") + 79 + len("\x1b[K")
        assert written(notes.tick) == row
        assert written(lambda: write_stderr("A note.\n")) == "\r\x1b[KA note.\n"
        assert written(lambda: write_stderr("Another.\n")) == "Another.\n"
        assert written(notes.tick) == row
    assert written(notes.tick) == "\r\x1b[K"
    assert written(notes.tick) == ""
