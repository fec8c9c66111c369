"""States that were copied, linked, damaged or removed: rejected, and nothing is sent."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from reconciler.state.local import LocalState, is_mount_point
from reconciler.state.location import Claim
from reconciler.state.session import Session
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.sandbox import STATE, Ended, Sandbox, as_tasks, prompts

TEXTS = prompts(2)
SLOW = [Rule("create", Fault(before=600))]  # until a test releases it


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    folder = tmp_path / "repository"
    folder.mkdir()
    made = Sandbox(folder, server)
    made.write(as_tasks(TEXTS))
    return made


def assert_refused(ended: Ended, code: Code, case: str = "") -> None:
    assert ended.code == 1
    assert [said["code"] for said in ended.document["diagnostics"]] == [code], case


@pytest.fixture
def settled(sandbox: Sandbox) -> Sandbox:
    assert sandbox.run("apply").code == 0
    return sandbox


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_one_wrong_character_in_a_key_creates_nothing(
    settled: Sandbox, server: FaultServer, command: str
) -> None:
    path = settled.folder / STATE
    path.write_bytes(path.read_bytes().replace(b"acme/k0", b"acme/k8"))
    assert_refused(settled.run(command), Code.STATE_EDITED)
    assert len(server.posts) == 2


def test_a_manually_merged_state_needs_no_checksum(settled: Sandbox) -> None:
    value = settled.state()
    del value["checksum"]
    (settled.folder / STATE).write_text(json.dumps(value, indent=2))
    assert settled.run("plan").actions() == dict.fromkeys(TEXTS, "unchanged")


@pytest.mark.parametrize("suffix", ["", ".journal"])
def test_a_pipe_instead_of_the_state_does_not_block(settled: Sandbox, suffix: str) -> None:
    path = settled.folder / (STATE + suffix)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    for command in ("plan", "apply"):
        assert_refused(settled.run(command), Code.STATE_UNREADABLE)


def left_behind(sandbox: Sandbox, server: FaultServer) -> bytes:
    """The journal of an apply that was killed with a create in flight, which then arrives."""
    server.set_rules(*SLOW)
    process = sandbox.start("apply", "--parallelism", "1")
    process.until(lambda: server.posts)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.release()
    server.wait_for_tasks(1)
    server.set_rules()
    return (sandbox.folder / f"{STATE}.journal").read_bytes()


def test_an_older_journal_next_to_a_newer_state_changes_nothing(
    sandbox: Sandbox, server: FaultServer
) -> None:
    """Its attempts have been resolved since."""
    journal = left_behind(sandbox, server)
    assert sandbox.run("apply").code == 0
    sandbox.write(as_tasks(prompts(3)))
    assert sandbox.run("apply").code == 0
    (sandbox.folder / f"{STATE}.journal").write_bytes(journal)
    for command in ("plan", "apply"):
        assert sandbox.run(command).code == 0
    assert not (sandbox.folder / f"{STATE}.journal").exists()
    sandbox.assert_exactly_one_each(prompts(3))


def test_an_already_folded_journal_is_removed(sandbox: Sandbox, server: FaultServer) -> None:
    """As after a kill between the save and the removal."""
    journal = left_behind(sandbox, server)
    assert sandbox.run("apply").code == 0
    before = (sandbox.folder / STATE).read_bytes()
    (sandbox.folder / f"{STATE}.journal").write_bytes(journal)
    assert sandbox.run("plan").actions() == dict.fromkeys(TEXTS, "unchanged")
    assert sandbox.run("apply").code == 0
    assert not (sandbox.folder / f"{STATE}.journal").exists()
    assert (sandbox.folder / STATE).read_bytes() == before
    sandbox.assert_exactly_one_each(TEXTS)


def test_a_link_out_of_the_repository_is_never_followed(sandbox: Sandbox) -> None:
    """Not even if it is named: whoever can commit chooses where it leads. The path it leads to
    can be."""
    (sandbox.folder / ".git").mkdir()
    outside = sandbox.folder.parent / "outside.json"
    (sandbox.folder / STATE).symlink_to(outside)
    for options in (("plan",), ("apply",), ("apply", "--state", STATE)):
        assert_refused(sandbox.run(*options), Code.OUTSIDE_REPOSITORY)
    assert not outside.exists()
    assert sandbox.run("apply", "--state", str(outside)).code == 0
    assert outside.exists()


def test_two_names_of_one_state_share_a_lock(settled: Sandbox, server: FaultServer) -> None:
    other = Sandbox(settled.folder.parent / "other", server)
    other.folder.mkdir()
    other.write(as_tasks(prompts(4)))
    path = settled.folder / STATE
    (other.folder / STATE).hardlink_to(path)
    with Session.open(LocalState(path), Claim(server.url, "apply")):
        assert_refused(other.run("apply"), Code.STATE_LOCKED)
    assert len(server.posts) == 2
    ended = other.run("apply")
    assert ended.code == 0
    assert Code.STATE_SHARED_FILE in ended.stderr


def test_a_deleted_lock_stops_the_creates(sandbox: Sandbox, server: FaultServer) -> None:
    """`git clean -X` during an apply: another apply could have started since."""
    texts = prompts(8)
    sandbox.write(as_tasks(texts))
    server.set_rules(Rule("create", Fault(before=60)))
    process = sandbox.start("apply", "--parallelism", "1")
    process.until(lambda: server.posts)
    for suffix in (".lock", ".journal"):
        (sandbox.folder / (STATE + suffix)).unlink()
    server.release()
    out, _ = process.communicate()
    assert process.returncode == 1
    results = [task["result"] for task in json.loads(out)["tasks"]]
    assert results.count("created") <= 1
    assert len(server.posts) == 1
    assert sandbox.run("apply").code == 1  # the state and its attempt were in the journal only
    ((sent, *_),) = server.references().values()
    sandbox.on_state("init", "--continue", sent.state, "--yes", "--backend", server.url)
    assert sandbox.run("apply").code == 0
    sandbox.assert_exactly_one_each(texts)


def test_a_run_that_lost_its_lock_keeps_the_attempts_of_the_next_one(
    sandbox: Sandbox, server: FaultServer
) -> None:
    """The lock is deleted during an apply, and the apply that starts then is killed: its attempt is
    only in the journal, which the first one removes when it saves."""
    server.habits.list_lag = 5
    server.set_rules(*SLOW)
    first = sandbox.start("apply", "--target", "k0")
    first.until(lambda: server.posts)
    (sandbox.folder / f"{STATE}.lock").unlink()
    second = sandbox.start("apply", "--parallelism", "1")
    second.until(lambda: len(server.posts) == 2)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    server.release()
    out, _ = first.communicate()
    assert (first.returncode, Code.STATE_LOCK_LOST in out) == (1, True)
    server.set_rules()
    assert sandbox.run("apply").code == 0
    sandbox.assert_exactly_one_each(TEXTS)


def test_a_mount_point_is_recognized(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "36 35 98:0 / / rw - ext4 /dev/sda rw\n"
        "99 36 98:0 /x /srv/a\\040b/taskctl.state.json rw - ext4 /dev/sda rw\n"
    )
    assert is_mount_point(Path("/srv/a b/taskctl.state.json"), mounts)
    assert not is_mount_point(Path("/srv/a b"), mounts)
    assert not is_mount_point(tmp_path / "taskctl.state.json", tmp_path / "missing")
