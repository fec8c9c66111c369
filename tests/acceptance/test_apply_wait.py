"""`taskctl apply --wait` on the embedded service."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.model.diagnostics import RemoteError
from reconciler.remote.client import Client
from tests.support.diagnostics import failed
from tests.support.live_tasks import LiveTasks, live_tasks
from tests.support.sandbox import ROOT
from tests.support.shells import typed

QUICK = ("--yes", "--wait", "--interval", "100ms")


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    with live_tasks(tmp_path, monkeypatch, capsys, work_seconds=0.1) as place:
        yield place


def test_apply_waits_only_for_tasks_of_the_manifests(place: LiveTasks) -> None:
    place.apply({"left": "approving", "before": "slow one"})
    place.write({"before": "slow one", "new": "slow two"})
    code, out, err = place.run("apply", *QUICK)
    assert code == 0
    assert out.index("created new") < out.index("Apply: 1 created") < out.index("2 done.")
    assert "left" not in out.partition("Apply: ")[2]  # orphaned and waiting for a person
    assert "acme/new: running" in err
    assert "acme/before: done" in err
    code, out, _ = place.run("apply", *QUICK, "--target", "new")  # no changes
    assert (code, out.splitlines()[-1]) == (0, "1 done.")


@pytest.mark.parametrize(("prompt", "code"), [("approving", 3), ("slow", 2), ("failing", 1)])
def test_apply_exits_with_the_codes_of_wait(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    prompt: str,
    code: int,
) -> None:
    """A slow task takes ten times as long as others: it is still running at the timeout."""
    timeout = "1m" if prompt == "failing" else "800ms"
    with live_tasks(tmp_path, monkeypatch, capsys, work_seconds=0.5) as place:
        place.write({"one": prompt})
        ended, _, err = place.run("apply", *QUICK, "--timeout", timeout)
    assert ended == code
    assert ("Timed out" in err) is (code != 1)


def test_json_is_one_document(place: LiveTasks) -> None:
    place.write({"good": "finishing", "asks": "approving"})
    document = place.document("apply", *QUICK, "--timeout", "1s")
    assert document["summary"]["created"] == 2
    wait = document["wait"]
    assert (wait["end"], wait["summary"]) == ("timeout", {"waiting": 1, "done": 1})
    asks = wait["tasks"][1]  # in the order of the manifest
    assert (asks["key"], asks["outputs"]["pendingInputCount"]) == ("asks", 0)
    assert "diagnostics" not in wait


def test_the_junit_report_fails_if_the_task_fails(place: LiveTasks) -> None:
    place.write({"good": "finishing", "bad": "failing"})
    assert place.run("apply", *QUICK, "--report", "junit=a.xml", "-q")[0] == 1
    suite = ET.parse(place.folder / "a.xml").getroot()[0]
    assert [suite.get(name) for name in ("tests", "errors")] == ["2", "1"]
    failure = suite.find("testcase[@name='bad']/error")
    assert failure is not None
    assert "could not be read" in (failure.get("message") or "")


def test_errors_of_apply_take_precedence(place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write({"one": "approving"})
    create = Client.create_task

    def refused(self: Client, org_name: str, body: Mapping[str, Any], *more: Any) -> Any:
        return create(self, org_name, {**body, "approvalMode": "nonsense"}, *more)

    monkeypatch.setattr(Client, "create_task", refused)
    code, out, err = place.run("apply", *QUICK)
    assert code == 1
    assert "1 failed" in out
    assert "Not waiting for the tasks" in err


def test_the_result_is_printed_even_if_the_service_is_gone(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write({"one": "approving"})
    monkeypatch.setattr(Client, "get_task", _gone_away)
    document = place.document("apply", *QUICK)
    assert document["summary"]["created"] == 1
    assert [problem["summary"] for problem in document["diagnostics"]] == ["the service is away"]
    assert "wait" not in document


def _gone_away(*_: Any) -> None:
    raise failed(RemoteError, "the service is away", "Try again.")


def test_a_task_that_is_not_visible_yet_is_not_a_failure(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of the service may lag a create by seconds."""
    place.write({"one": "finishing"})
    get, asked = Client.get_task, []

    def lagging(self: Client, org_name: str, task_id: str) -> Any:
        asked.append(task_id)
        return None if len(asked) < 4 else get(self, org_name, task_id)

    monkeypatch.setattr(Client, "get_task", lagging)
    code, out, err = place.run("apply", *QUICK)
    assert (code, out.splitlines()[-1]) == (0, "1 done.")
    assert "gone" not in err


def test_options_of_wait_require_wait(place: LiveTasks) -> None:
    place.write({"one": "finishing"})
    code, _, err = place.run("apply", "--yes", "--timeout", "5m")
    assert code == 1
    assert "--timeout requires --wait" in err
    assert place.run("status")[1].startswith("No tasks are recorded yet.")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_only_the_wait(place: LiveTasks, number: int, code: int) -> None:
    place.write({"asks": "approving"})
    process = place.start("apply", *QUICK, "--format", "json")
    process.until_said("asks: waiting")
    assert not (place.folder / "taskctl.state.json.journal").exists()  # another apply may run
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == code
    assert "The tasks keep running" in err
    document = json.loads(out)
    assert document["summary"]["created"] == 1
    assert document["wait"]["end"] == "interrupted"
    assert place.statuses() == {"asks": "waiting"}


def test_a_terminal_shows_the_counts_until_the_end(place: LiveTasks) -> None:
    place.write({"one": "slow one", "two": "slow two"})
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ("apply", *QUICK, "--backend", place.url)
    with typed(place.folder, env, *arguments) as person:
        assert person.ended() == 0
        redrawn = person.screen.split("\x1b[K")
    assert "\r2 running." in redrawn
    assert redrawn[-1].count("KEY") == 1
    assert redrawn[-1].rstrip().endswith("2 done.")


def test_a_saved_plan_can_be_waited_for(place: LiveTasks) -> None:
    place.write({"one": "finishing", "two": "finishing too"})
    assert place.run("plan", "--target", "one", "--out", "p.taskctl")[0] == 0
    plan = str(place.folder / "p.taskctl")
    code, out, _ = place.run("apply", plan, "--wait", "--interval", "100ms")
    assert (code, out.splitlines()[-1]) == (0, "1 done.")
