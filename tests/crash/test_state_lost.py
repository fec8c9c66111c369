"""An apply whose lock, journal or state is removed or replaced while it waits: it sends and saves
nothing more, and the next apply needs nobody to move a file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.sandbox import STATE, Sandbox, as_tasks, prompts
from tests.support.shells import Shell, typed

TEXTS = prompts(8)
LOCK = f"{STATE}.lock"
JOURNAL = f"{STATE}.journal"


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    """Two tasks exist; an older copy of the state knows the first one only."""
    folder = tmp_path / "repository"
    folder.mkdir()
    made = Sandbox(folder, server)
    for count in (1, 2):
        made.write(as_tasks(prompts(count)))
        assert made.run("apply").code == 0
        (tmp_path / f"state-{count}").write_bytes((folder / STATE).read_bytes())
    made.write(as_tasks(TEXTS))
    return made


@contextmanager
def at_prompt(sandbox: Sandbox) -> Iterator[Shell]:
    words = ["apply", "--backend", sandbox.server.url, "--settle-time", sandbox.settle]
    with typed(sandbox.folder, sandbox.environment(), *words) as person:
        person.until("Only 'yes' is accepted: ")
        yield person


def remove_lock(sandbox: Sandbox) -> None:
    (sandbox.folder / LOCK).unlink()
    assert sandbox.run("apply").code == 0


def remove_lock_only(sandbox: Sandbox) -> None:
    (sandbox.folder / LOCK).unlink()


def move_lock_away_and_back(sandbox: Sandbox) -> None:
    away = (sandbox.folder / LOCK).rename(sandbox.folder / "away")
    assert sandbox.run("apply").code == 0
    away.rename(sandbox.folder / LOCK)


def restore_older_copy(sandbox: Sandbox) -> None:
    (sandbox.folder / STATE).write_bytes((sandbox.folder.parent / "state-1").read_bytes())


def pull_another_one(sandbox: Sandbox) -> None:
    """Somebody else has applied the same manifests and committed the state."""
    clone = Sandbox(sandbox.folder.parent / "clone", sandbox.server)
    shutil.copytree(sandbox.folder, clone.folder)
    assert clone.run("apply").code == 0
    (sandbox.folder / STATE).write_bytes((clone.folder / STATE).read_bytes())


def remove_state(sandbox: Sandbox) -> None:
    (sandbox.folder / STATE).unlink()


def remove_journal(sandbox: Sandbox) -> None:
    (sandbox.folder / JOURNAL).unlink()


LOSSES: dict[Callable[[Sandbox], None], Code] = {
    remove_lock: Code.STATE_LOCK_LOST,
    remove_lock_only: Code.STATE_LOCK_LOST,
    move_lock_away_and_back: Code.STATE_CHANGED,
    pull_another_one: Code.STATE_CHANGED,
    restore_older_copy: Code.STATE_CHANGED,
    remove_state: Code.STATE_CHANGED,
    remove_journal: Code.STATE_LOCK_LOST,
}
AT_PROMPT = [lose for lose in LOSSES if lose is not remove_journal]  # there is none yet


@pytest.mark.parametrize("lose", AT_PROMPT, ids=lambda lose: lose.__name__)
def test_a_yes_after_a_loss_sends_and_writes_nothing(
    sandbox: Sandbox, server: FaultServer, lose: Callable[[Sandbox], None]
) -> None:
    with at_prompt(sandbox) as person:
        lose(sandbox)
        before = files(sandbox)
        posts = len(server.posts)
        person.type("yes\n")
        assert person.ended() == 1
        assert "6 not started" in person.screen
        assert person.screen.count(f"[{LOSSES[lose]}]") == 1
    assert len(server.posts) == posts
    assert files(sandbox) == before
    if lose is remove_state:
        assert sandbox.run("apply").code == 1
        copy = json.loads((sandbox.folder.parent / "state-2").read_text())
        lost = copy["provenance"]["ids"][0]
        sandbox.on_state("init", "--continue", lost, "--yes", "--backend", sandbox.server.url)
    ended = sandbox.run("apply")
    assert ended.code == 0, ended.stdout
    sandbox.assert_exactly_one_each(TEXTS)


def test_tasks_whose_state_was_replaced_are_found(sandbox: Sandbox, server: FaultServer) -> None:
    server.set_rules(Rule("create", Fault(before=600), contains="do 5"))
    process = sandbox.start("apply", "--parallelism", "1")
    process.until(lambda: any("do 5" in post for post in server.posts))
    older = json.loads((sandbox.folder / STATE).read_text())
    older["serial"] -= 1
    del older["checksum"]
    (sandbox.folder / STATE).write_text(json.dumps(older))
    server.release()
    out, _ = process.communicate()
    assert process.returncode == 1
    assert Code.STATE_CHANGED in out
    server.set_rules()
    ended = sandbox.run("apply")
    results = dict.fromkeys(("k2", "k3", "k4", "k5"), "adopted")
    assert ended.results() == {**results, "k6": "created", "k7": "created"}
    sandbox.assert_exactly_one_each(TEXTS)


@pytest.mark.parametrize("lose", [remove_lock_only, restore_older_copy, remove_journal])
def test_a_wait_for_an_unknown_outcome_ends_with_the_loss(
    sandbox: Sandbox, server: FaultServer, lose: Callable[[Sandbox], None]
) -> None:
    """Nothing that it finds could be recorded."""
    sandbox.settle = "600s"
    server.set_rules(Rule("create", Fault("reset"), nth=(1,)))
    process = sandbox.start("apply", "--target", "k2")
    process.until_said("outcome unknown")
    lose(sandbox)
    out, _ = process.communicate()
    assert process.returncode == 1
    document = json.loads(out)
    assert [d["code"] for d in document["diagnostics"]].count(LOSSES[lose]) == 1
    assert {task["result"] for task in document["tasks"]} == {"unresolved"}
    assert len(server.posts) == 3


def files(sandbox: Sandbox) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sandbox.folder.glob("taskctl.*")}
