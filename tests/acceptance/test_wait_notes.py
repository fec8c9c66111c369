"""While the service fails, stderr says which request is sent again, and why."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from io import StringIO

import pytest

from reconciler.cli.console.terminal import FOOT, write_stderr
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.remote.transport import BETWEEN_NOTES
from tests.support.client_tools import FakeTime, make_client
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

DOWN = Fault("status", status=500)
LIST = "GET /api/preview/agents/acme/tasks"


def test_a_read_that_failed_is_noted(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"k1": "do 1"}))
    left = [DOWN, DOWN]
    here.server.choose = lambda call: left.pop() if call.endpoint == "list" and left else None
    ended = here.run("plan")
    assert ended.code == 0
    rows = [row for row in ended.stderr.splitlines() if LIST in row]
    assert rows == [f"Retrying {LIST} (HTTP 500, try 2)"]
    left += [DOWN]
    assert here.run("plan", "-q").stderr == ""


def test_an_unknown_outcome_of_a_create_names_the_status(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"k1": "do 1"}))
    left = [DOWN]
    here.server.choose = lambda call: left.pop() if call.endpoint == "create" and left else None
    ended = here.run("apply")
    assert ended.results() == {"k1": "created"}
    assert "500" in ended.stderr.replace(LIST, "")


def test_an_outage_is_noted_rarely() -> None:
    time, notes = FakeTime(), list[tuple[float, str, object]]()
    with FaultServer([Rule("user", DOWN)]) as server:
        client = make_client(
            server.url,
            time,
            note=lambda note, **facts: notes.append((time.now, note, facts["number"])),
        )
        with pytest.raises(RemoteError) as caught:
            client.identity()
    assert caught.value.diagnostics[0].code is Code.SERVICE_FAILED
    assert notes[0][1:] == ("retrying", 2)
    times = [at for at, _, _ in notes]
    assert all(b - a >= BETWEEN_NOTES for a, b in itertools.pairwise(times))


def test_a_terminal_has_one_row_until_something_else_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "80")

    def written(act: Callable[[], object]) -> str:
        screen.seek(0)
        screen.truncate()
        act()
        return screen.getvalue()

    row = written(lambda: FOOT.show("a" * 100))
    assert row == f"\r{'a' * 78}…\x1b[K"
    assert written(lambda: write_stderr("A note.\n")) == "\r\x1b[KA note.\n"
    assert written(lambda: write_stderr("Another.\n")) == "Another.\n"
    assert written(lambda: FOOT.show("b")) == "\rb\x1b[K"
    assert written(FOOT.remove) == "\r\x1b[K"
    assert written(FOOT.remove) == ""
