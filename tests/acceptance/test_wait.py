"""`taskctl wait` on the embedded service."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.model.diagnostics import RemoteError
from reconciler.remote.client import Client
from tests.support.diagnostics import failed
from tests.support.live_tasks import LiveTasks
from tests.support.skipped_time import stopped_time

in_stopped_time = pytest.mark.usefixtures("_stopped_time")


@pytest.fixture
def _stopped_time() -> Iterator[None]:
    """Time passes only where a command waits, however slow the machine is."""
    with stopped_time():
        yield


@in_stopped_time
def test_wait_ends_when_all_tasks_are_done(place: LiveTasks) -> None:
    place.apply({"good": "finishing well", "slow": "slow one"})
    code, out, err = place.run("wait", "--interval", "100ms")
    assert code == 0
    assert out.endswith("2 done.\n")
    assert "acme/slow: running" in err
    assert "acme/slow: done" in err


@in_stopped_time
def test_wait_ends_at_the_timeout(place: LiveTasks) -> None:
    place.apply({"asks": "approving of it"})
    code, _, err = place.run("wait", "--timeout", "400ms", "--interval", "100ms")
    assert code == 3
    assert "\n    taskctl approve acme/asks --request approval-" in err
    assert "Timed out" in err


@in_stopped_time
def test_wait_can_stop_once_only_people_are_waited_for(place: LiveTasks) -> None:
    place.apply({"asks": "approving of it", "good": "finishing"})
    document = place.document("wait", "--stop-on", "waiting", "--interval", "100ms")
    assert (document["end"], document["summary"]) == ("waiting", {"waiting": 1, "done": 1})
    place.answer("approve", "asks")
    document = place.document("wait", "--stop-on", "waiting", "--interval", "100ms")
    assert (document["end"], document["summary"]) == ("finished", {"done": 2})


@in_stopped_time
def test_wait_writes_a_junit_report(place: LiveTasks) -> None:
    place.apply({"bad": "failing", "good": "finishing", "asks": "approving"})
    report = place.folder / "wait.xml"
    wait = ("--timeout", "400ms", "--interval", "100ms", "--report", "junit=wait.xml")
    assert place.run("wait", *wait)[0] == 1
    suites = ET.parse(report).getroot()
    suite = suites[0]
    assert suite.get("name") == "tasks/all.yaml"
    assert [suite.get(name) for name in ("tests", "errors", "skipped")] == ["3", "1", "1"]
    failure = suite.find("testcase[@name='bad']/error")
    assert failure is not None
    assert "could not be read" in (failure.get("message") or "")


def test_an_unwritable_report_is_an_error(place: LiveTasks) -> None:
    place.apply({"good": "finishing"})
    code, _, err = place.run("wait", "--report", "junit=tasks/all.yaml/wait.xml")
    assert code == 1
    assert "cannot write the junit report" in err


def test_json_is_one_document(place: LiveTasks) -> None:
    place.apply({"good": "finishing"})
    document = place.document("wait", "good", "--interval", "100ms")
    assert document["summary"] == {"done": 1}


@in_stopped_time
@pytest.mark.parametrize("form", ["markdown", "html", "sarif", "github", "junit", "json", "text"])
def test_every_report_shows_the_statuses(place: LiveTasks, form: str) -> None:
    place.apply({"bad": "failing", "good": "finishing", "asks": "approving"})
    wait = ("--timeout", "400ms", "--interval", "100ms", "--report", f"{form}=report")
    assert place.run("wait", *wait)[0] == 1
    shown = (place.folder / "report").read_text()
    for words in ("waiting", "failed", "could not be read"):
        hides = form in ("text", "markdown")  # a reason is an agent's text: only with -v
        assert words in shown or (hides and words.startswith("could"))
    assert ("done" in shown) is (form not in ("sarif", "github"))  # it has no problems


def test_an_interrupt_does_not_cancel_tasks(place: LiveTasks) -> None:
    place.apply({"asks": "approving of it"})
    process = place.start("wait", "--interval", "100ms", "--format", "json")
    process.until_said("waiting")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "The tasks keep running" in err
    assert json.loads(out)["end"] == "interrupted"
    assert place.statuses() == {"asks": "waiting"}


@in_stopped_time
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_temporarily_unreachable_service_is_retried(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, *, comes_back: bool
) -> None:
    get, asked = Client.get_task, []

    def away(self: Client, org_name: str, task_id: str) -> Any:
        asked.append(task_id)
        if len(asked) > 1 and not (comes_back and len(asked) > 3):
            raise failed(RemoteError, "the service is away", "Try again.")
        return get(self, org_name, task_id)

    timeout = "1m" if comes_back else "500ms"
    place.apply({"slow": "slow one"})
    monkeypatch.setattr(Client, "get_task", away)
    code, _, err = place.run("wait", "--interval", "100ms", "--timeout", timeout)
    assert code == (0 if comes_back else 1)
    assert err.count("the service is away; retrying") == 1
    assert ("error: the service is away" in err) is not comes_back


@pytest.mark.parametrize("end", ["", ".journal", ".backup"])
@pytest.mark.parametrize("state", ["taskctl.state.json", "other"])
def test_a_report_never_overwrites_the_state(place: LiveTasks, state: str, end: str) -> None:
    place.write({"good": "finishing"})
    path = place.folder / state
    assert place.run("apply", "--yes", "--state", state)[0] == 0
    before = path.read_bytes()
    file = f"{state}{end}"
    code, out, err = place.run(
        "wait", "--state", state, "--timeout", "10s", "--report", f"junit={file}"
    )
    assert (code, "good" in out) == (1, True)
    assert f"{file}: error: the junit report would replace a state" in err
    assert path.read_bytes() == before
    assert place.run("plan", "--state", state, "--detailed-exitcode")[0] == 0
