"""Changes of the state during an apply, and unusual states at its start."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.session import Session
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.forked import Forked, start
from tests.support.sandbox import STATE, TOKEN, Ended, Sandbox, as_tasks, prompts

TEXTS = prompts(3)
SLOW = [Rule("create", Fault(before=600))]  # until a test releases it


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    made = Sandbox(tmp_path, server)
    made.write(as_tasks(TEXTS))
    return made


def sending(sandbox: Sandbox, server: FaultServer, creates: int) -> Forked:
    """An apply with this many creates in flight, on a slow service."""
    server.set_rules(*SLOW)
    before = len(server.posts)
    process = sandbox.start("apply")
    process.until(lambda: len(server.posts) >= before + creates)
    return process


def test_a_second_apply_names_the_first_or_waits_for_it(
    sandbox: Sandbox, server: FaultServer
) -> None:
    path = sandbox.folder / STATE
    first = Session.open(LocalState(path), Claim(server.url, "apply"))
    try:
        second = sandbox.run("apply")
        assert second.code == 1
        (said,) = second.document["diagnostics"]
        assert f"process {os.getpid()} on {os.uname().nodename}" in said["summary"]
        assert "user " in said["summary"]
        assert "since 20" in said["summary"]
        assert "--lock-timeout" in said["detail"]
        assert sandbox.run("plan").actions() == dict.fromkeys(TEXTS, "create")  # takes no lock
        third = sandbox.start("apply", "--lock-timeout", "60s")
        third.until_said("Waiting for it")
        assert server.posts == []
    finally:
        first.close()
    third.communicate()
    assert third.returncode == 0
    sandbox.assert_exactly_one_each(TEXTS)


def test_a_state_that_begins_waits_for_the_lock(sandbox: Sandbox, server: FaultServer) -> None:
    """Also if there is no state file yet."""
    assert sandbox.run("apply").code == 0
    lost = sandbox.state()["provenance"]["ids"][0]
    for path in sandbox.folder.glob(f"{STATE}*"):
        path.unlink()
    first = Session.open(LocalState(sandbox.folder / STATE), Claim(server.url, "apply"))
    try:
        words = ["state", "init", "--continue", lost, "-y", "--lock-timeout", "60s"]
        env = {**sandbox.environment(), "TASKCTL_BACKEND": server.url}
        second = start(words, sandbox.folder, env)
        second.until_said("Waiting for it")
    finally:
        first.close()
    second.communicate()
    assert second.returncode == 0
    sandbox.assert_exactly_one_each(TEXTS)


@pytest.mark.parametrize("same_serial", [True, False])
def test_a_checkout_under_a_running_apply_is_not_overwritten(
    sandbox: Sandbox, server: FaultServer, *, same_serial: bool
) -> None:
    """The state of another branch, possibly with the same serial."""
    sandbox.write(as_tasks({"k0": TEXTS["k0"]}))
    assert sandbox.run("apply").code == 0
    ours = sandbox.state()
    sandbox.write(as_tasks(TEXTS))
    process = sending(sandbox, server, 2)
    theirs = json.loads(json.dumps(ours))
    theirs["tasks"]["acme/k0"]["file"] = "tasks/of-another-branch.yaml"
    theirs["serial"] += 0 if same_serial else 1
    del theirs["checksum"]
    text = json.dumps(theirs)
    (sandbox.folder / STATE).write_text(text)
    server.release()
    out, _ = process.communicate()
    assert process.returncode == 1
    document = json.loads(out)
    results = {t["key"]: t["result"] for t in document["tasks"]}
    assert results == dict.fromkeys(("k1", "k2"), "unresolved")
    assert [d["code"] for d in document["diagnostics"]] == [Code.STATE_CHANGED]
    assert (sandbox.folder / STATE).read_text() == text
    again = sandbox.run("apply")
    assert (again.code, again.results()) == (0, {"k1": "adopted", "k2": "adopted"})
    assert sandbox.state()["tasks"]["acme/k0"]["file"] == "tasks/of-another-branch.yaml"
    sandbox.assert_exactly_one_each(TEXTS)


LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
os.execv(sys.executable, [sys.executable, "-m", "reconciler", *sys.argv[2:]])
"""


@pytest.mark.parametrize("room", [100, 700, 1400, 2100])
def test_a_disk_that_fills_up_during_apply_loses_nothing(
    sandbox: Sandbox, server: FaultServer, room: int
) -> None:
    """No file may exceed `room` bytes: a write of the journal or of the state fails."""
    arguments = sandbox.arguments("apply", "--parallelism", "2")
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(room), *arguments],
        cwd=sandbox.folder,
        env=sandbox.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1, ended.stdout
    assert "Traceback" not in ended.stderr
    document = Ended(1, ended.stdout, ended.stderr).document
    assert document["diagnostics"] or any(task["error"] for task in document["tasks"])
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    again = sandbox.run("apply")
    assert again.code == 0, again.stdout
    sandbox.assert_exactly_one_each(TEXTS)


def test_a_lost_state_is_continued_whatever_the_path(sandbox: Sandbox, server: FaultServer) -> None:
    sandbox.write(as_tasks({"k0": TEXTS["k0"]}), "one")
    sandbox.write(as_tasks({"k1": TEXTS["k1"], "k2": TEXTS["k2"]}), "all")
    assert sandbox.run("apply").code == 0
    (lost,) = sandbox.state()["provenance"]["ids"]
    (sandbox.folder / STATE).unlink()
    assert sandbox.run("apply", "tasks/one.yaml").results() == {"k0": "unresolved"}
    sandbox.on_state("init", "--continue", lost, "-y", "--backend", server.url)
    assert sandbox.run("apply", "tasks/one.yaml").document["tasks"] == []
    sandbox.assert_exactly_one_each(TEXTS)


def test_the_state_of_another_backend_is_refused_and_unchanged(
    sandbox: Sandbox, server: FaultServer
) -> None:
    assert sandbox.run("apply").code == 0
    before = (sandbox.folder / STATE).read_bytes()
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as other:
        sandbox.server = other
        ended = sandbox.run("apply")
        assert ended.code == 1
        assert other.posts == []
    assert "belongs to the backend" in ended.document["diagnostics"][0]["summary"]
    assert (sandbox.folder / STATE).read_bytes() == before


@pytest.mark.parametrize(
    ("name", "to"),
    [
        ("settleTime", 1e15),
        ("window", 1e300),
    ],
)
def test_a_duration_that_no_state_has_is_damage(
    sandbox: Sandbox, server: FaultServer, name: str, to: float
) -> None:
    sandbox.write({"k0": {"message": "do 0"}})
    server.set_rules(Rule("create", Fault("reset", committed=True)), Rule("events", Fault("reset")))
    sandbox.settle = "100ms"
    assert sandbox.run("apply").code == 1
    assert list(sandbox.state()["attempts"]) == ["1"]
    server.set_rules()
    path = sandbox.folder / STATE
    state = json.loads(path.read_text())
    del state["checksum"]
    (attempt,) = state["attempts"].values()
    attempt[name] = to
    path.write_text(json.dumps(state))
    for command in ("plan", "apply"):
        ended = sandbox.run(command)
        (said,) = ended.document["diagnostics"]
        assert (ended.code, said["code"]) == (1, Code.STATE_DAMAGED)
        assert f"{name}: out of range" in said["summary"]
    assert json.loads(path.read_text()) == state


def test_a_settle_time_has_a_limit(sandbox: Sandbox) -> None:
    """So that no state is written that cannot be read."""
    sandbox.settle = "366d1s"
    ended = sandbox.run("apply")
    assert ended.document["diagnostics"][0]["code"] == Code.USAGE
    assert "longer than 366 days" in ended.document["diagnostics"][0]["summary"]
    sandbox.settle = "366d"
    assert sandbox.run("apply").code == 0
    sandbox.assert_exactly_one_each(TEXTS)


def test_a_changed_organization_option_makes_tasks_unresolved(
    sandbox: Sandbox, server: FaultServer
) -> None:
    manifest = sandbox.folder / "tasks" / "all.yaml"
    manifest.write_text(json.dumps({"version": 1, "tasks": as_tasks(TEXTS)}))
    assert sandbox.run("apply", "--org", "acme").code == 0
    ended = sandbox.run("apply", "--org", "elsewhere")
    assert ended.code == 1
    assert set(ended.results().values()) == {"unresolved"}
    assert len(server.posts) == 3
    sandbox.assert_exactly_one_each(TEXTS)


def test_a_chain_of_renames_that_was_never_applied_creates_nothing(
    sandbox: Sandbox, server: FaultServer
) -> None:
    sandbox.write({"a": {"message": "work"}})
    assert sandbox.run("apply").code == 0
    sandbox.write({"c": {"message": "work", "movedFrom": "b"}})
    ended = sandbox.run("apply")
    assert ended.results() == {"c": "unresolved"}
    sandbox.write({"b": {"message": "work", "movedFrom": "a"}})
    assert sandbox.run("apply").results() == {"b": "moved"}
    sandbox.write({"c": {"message": "work", "movedFrom": "b"}})
    assert sandbox.run("apply").results() == {"c": "moved"}
    assert len(server.posts) == 1


def test_a_task_id_that_contradicts_the_record_is_unresolved(
    sandbox: Sandbox, server: FaultServer
) -> None:
    assert sandbox.run("apply").code == 0
    owned, other = sandbox.recorded()["k0"], "00000000-0000-0000-0000-000000000000"
    sandbox.write({"k0": {"taskID": other}, "thief": {"taskID": owned}, "none": {"taskID": "no"}})
    ended = sandbox.run("apply", "tasks/all.yaml")
    assert ended.results() == {"k0": "unresolved", "thief": "unresolved", "none": "unresolved"}
    assert len(server.posts) == 3
