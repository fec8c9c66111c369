"""Locks, journals and states that are removed or replaced at random moments, under applies that are
stopped and killed: one task per key, and the next apply needs nobody to move a file.

A round is repeated with `TASKCTL_CHAOS=SEED`.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import chdir, closing
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from reconciler.model.codes import Code
from reconciler.state.engines import Engine, Moved, Version, open_engine
from reconciler.state.store import decode_head
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.forked import Forked
from tests.support.git_server import git
from tests.support.sandbox import STATE, TOKEN, Ended, Sandbox, as_tasks, prompts, shared_sandbox
from tests.support.skipped_time import skip
from tests.support.state_engines import ENGINE_PARAMS, Served, serving

SETTLE = 600  # seconds: no process of a round waits for that long
TEXTS = prompts(8)
ANOTHER = "another"
LOST = Fault("reset", committed=True)


@dataclass
class Round:
    """`forgets`: the state may know nothing of some tasks, and lost attempts must have reached
    their age before the next apply. `alone`: no other apply may run until then. `undo` takes the
    mischief back. `older` is a copy of the state."""

    sandbox: Sandbox
    server: FaultServer
    chance: random.Random
    forgets: bool = False
    alone: bool = False
    refused_until_undone: bool = False
    undo: Callable[[], object] = lambda: None
    older: bytes = b""
    log: list[str] = field(default_factory=list)
    processes: list[Forked] = field(default_factory=list)

    def path(self, suffix: str = "") -> Path:
        return self.sandbox.folder / f"{STATE}{suffix}"

    def likely(self, share: float) -> bool:
        return self.chance.random() < share

    def engine(self) -> Engine:
        env = {**os.environ, **self.sandbox.env}
        with chdir(self.sandbox.folder):
            return open_engine(env["TASKCTL_STATE"], env)

    @property
    def is_shared(self) -> bool:
        return "TASKCTL_STATE" in self.sandbox.env

    def keep_copy(self) -> None:
        if not self.is_shared:
            self.older = self.path().read_bytes()
        elif self.git_ref:
            git(self.sandbox.folder, "fetch", "-q", "origin", self.git_ref)
            head = git(self.sandbox.folder, "rev-parse", "FETCH_HEAD")
            self.older = head.strip().encode()
        else:
            self.older = head_of(self)[0]

    @property
    def git_ref(self) -> str:
        """The ref that has the shared state; "" if it is not in git."""
        scheme, _, name = self.sandbox.env["TASKCTL_STATE"].partition(":origin#")
        return f"refs/taskctl/state/{name}" if scheme == "git" else ""

    def has_journal(self) -> bool:
        """Whether an apply has journaled something."""
        return self.path(".journal").exists() and b"\n" in self.path(".journal").read_bytes()

    def is_another(self) -> bool:
        """Whether the state is still the other one. An apply that had already begun to save its
        own has replaced it."""
        return bool(json.loads(self.path().read_bytes())["lineage"] == ANOTHER)

    def start(self) -> Forked:
        """An apply, until it has sent a random number of requests, or waits."""
        posts, calls = len(self.server.posts), len(self.server.calls) + self.chance.randint(1, 25)
        process = self.sandbox.start("apply", "--parallelism", str(self.chance.choice((1, 2, 4))))
        self.processes.append(process)
        while process.poll() is None and len(self.server.calls) < calls:
            is_held = len(self.server.posts) > posts and len(self.server.posts) > self.arrived()
            if is_held or "outcome unknown" in process.stderr:
                break
            time.sleep(0.005)
        return process

    def arrived(self) -> int:
        return len(self.server.world.tasks)

    def signal(self, process: Forked, number: signal.Signals) -> None:
        self.log.append(number.name)
        process.send_signal(number)

    def end(self) -> None:
        """All processes end, and what they sent arrives."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        self.server.release()
        for process in self.processes:
            process.communicate()
        self.server.set_rules()
        self.server.wait_for_tasks(len(self.server.posts))
        if self.forgets:
            skip(SETTLE + 20)

    def apply(self, *words: str) -> Ended:
        self.log.append(f"apply {' '.join(words)}")
        ended = self.sandbox.run("apply", *words)
        assert max(map(len, self.server.tasks_by_work().values())) == 1
        assert "Traceback" not in ended.stderr
        return ended

    def check(self) -> None:
        """The next applies finish the work."""
        if self.refused_until_undone and self.has_journal() and self.is_another():
            refused = self.apply()
            assert [d["code"] for d in refused.document["diagnostics"]] == [Code.JOURNAL_MISMATCH]
        self.undo()
        ended = self.apply()
        if ended.code and self.forgets:
            sent = {each.state for found in self.server.references().values() for each in found}
            for lost in sorted(sent):
                backend = ("--backend", self.server.url)
                self.sandbox.on_state("init", "--continue", lost, "-y", *backend)
            ended = self.apply()
        assert ended.code == 0, ended.stdout + ended.stderr
        self.sandbox.assert_exactly_one_each(TEXTS)
        assert set(self.sandbox.run("plan").actions().values()) == {"unchanged"}


Mischief = Callable[[Round], None]


def remove_lock(round_: Round) -> None:
    round_.path(".lock").unlink(missing_ok=True)


def move_lock(round_: Round) -> None:
    """Away, and back later."""
    away = round_.path(".away")
    if round_.path(".lock").exists():
        round_.path(".lock").rename(away)
        round_.undo = lambda: away.rename(round_.path(".lock"))


def remove_state(round_: Round) -> None:
    round_.path().unlink(missing_ok=True)
    round_.forgets = True


def restore_state(round_: Round) -> None:
    """An older copy, in which a task is missing."""
    round_.path().write_bytes(round_.older)
    round_.forgets = True


def rewrite_state(round_: Round) -> None:
    """A version of the same state that knows the same tasks, as on another branch."""
    value = json.loads(round_.path().read_text())
    value.pop("checksum", None)
    value["serial"] += round_.chance.choice((-1, 0, 1))
    value["tasks"]["acme/k0"]["file"] = "tasks/elsewhere.yaml"
    round_.path().write_text(json.dumps(value))


def replace_state(round_: Round) -> None:
    """By another state, which has no entries of the journal: a journal is rejected until the right
    one is back."""
    ours = round_.path().read_bytes()
    value = json.loads(ours)
    del value["checksum"]
    value.pop("journal", None)
    value["lineage"] = ANOTHER
    round_.path().write_text(json.dumps(value))
    round_.alone = round_.refused_until_undone = True

    def undo() -> None:
        """An apply that had begun to save may have replaced the other state, or may have removed
        its journal just before: then, ours is an older copy."""
        if round_.is_another():
            round_.forgets = not round_.has_journal()
            round_.path().write_bytes(ours)

    round_.undo = undo


def remove_journal(round_: Round) -> None:
    """Only time tells what its attempts have created, so that no other apply may run before."""
    round_.path(".journal").unlink(missing_ok=True)
    round_.forgets = round_.alone = True


AT_ONCE: Sequence[Mischief] = (remove_lock, move_lock, restore_state, rewrite_state)
"""Those that leave the journal alone."""


def two_at_once(round_: Round) -> None:
    for mischief in round_.chance.sample(AT_ONCE, 2):
        round_.log.append(mischief.__name__)
        mischief(round_)


ON_FILES: Sequence[Mischief] = (
    remove_lock,
    move_lock,
    remove_state,
    restore_state,
    rewrite_state,
    replace_state,
    remove_journal,
    two_at_once,
)


def unlock(round_: Round) -> None:
    """Releases the lock of the first apply, whatever it is doing."""
    head = decode_head(head_of(round_)[0], "")
    if head.holder is not None:
        round_.sandbox.on_state("unlock", str(head.epoch))


def restore_head(round_: Round) -> None:
    """An older version of everything, without the journal."""
    round_.forgets = round_.alone = True
    while True:
        try:
            if round_.git_ref:
                what = f"{round_.older.decode()}:{round_.git_ref}"
                git(round_.sandbox.folder, "push", "-q", "--force", "origin", what)
            else:
                _, version = head_of(round_)
                with closing(round_.engine()) as engine:
                    engine.swap(round_.older, version)
        except (Moved, CalledProcessError):  # the apply wrote at the same time
            continue
        return


def head_of(round_: Round) -> tuple[bytes, Version]:
    with closing(round_.engine()) as engine:
        found = engine.read()
    assert found is not None
    return found


ON_HEADS: Sequence[Mischief] = (unlock, restore_head)


def serving_tasks() -> FaultServer:
    return FaultServer(habits=Habits(tokens={TOKEN: "me"}))


def disturb(server: FaultServer, chance: random.Random) -> None:
    """Some responses are lost; from some create on, they wait until they are released."""
    first = chance.randint(1, 8)
    lost = [n for n in range(1, first) if chance.random() < 0.15]
    held = Rule("create", Fault(before=86_400), nth=tuple(range(first, 99)))
    server.set_rules(*(Rule("create", LOST, nth=(n,)) for n in lost), held)


def play(here: Round, mischief: Mischief) -> None:
    """One round. Two tasks exist; the older copy of the state was made before the second one."""
    here.sandbox.settle = f"{SETTLE}s"
    for count in (1, 2):
        here.sandbox.write(as_tasks(prompts(count)))
        assert here.sandbox.run("apply").code == 0
        if count == 1:
            here.keep_copy()
    here.sandbox.write(as_tasks(TEXTS))
    disturb(here.server, here.chance)
    first = here.start()
    if here.likely(0.3):
        here.signal(first, signal.SIGSTOP)
    mischief(here)
    if here.likely(0.3):
        here.signal(first, signal.SIGKILL)
    if here.likely(0.7) and not here.alone:
        here.log.append("another apply")
        here.start()
    if here.likely(0.5):
        here.undo()
        here.undo, here.refused_until_undone = lambda: None, False
    here.end()
    here.check()


def rounds(count: int, play_one: Callable[[random.Random, list[str]], None]) -> None:
    """Random rounds, each with a seed that a failure names."""
    given = os.environ.get("TASKCTL_CHAOS")
    for seed in [int(given)] if given else (secrets.randbits(32) for _ in range(count)):
        log: list[str] = []
        try:
            play_one(random.Random(seed), log)
        except BaseException as problem:
            problem.add_note(f"TASKCTL_CHAOS={seed}: {', '.join(log)}")
            raise


def run_on_files(folder: Path, mischief: Mischief, count: int) -> None:
    numbers = iter(range(count))

    def play_one(chance: random.Random, log: list[str]) -> None:
        repository = folder / f"repository-{next(numbers)}"
        repository.mkdir()
        with serving_tasks() as server:
            play(Round(Sandbox(repository, server), server, chance, log=log), mischief)

    rounds(count, play_one)


def run_on_heads(served: Served, mischief: Mischief, count: int) -> None:
    def play_one(chance: random.Random, log: list[str]) -> None:
        with serving_tasks() as server:
            play(Round(shared_sandbox(served, server), server, chance, log=log), mischief)

    rounds(count, play_one)


def name_of(value: object) -> str:
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize("mischief", ON_FILES, ids=name_of)
def test_a_state_in_files(tmp_path: Path, mischief: Mischief) -> None:
    """Ten rounds in all."""
    run_on_files(tmp_path, mischief, 3 if mischief is two_at_once else 1)


@pytest.mark.soak
@pytest.mark.parametrize("mischief", ON_FILES, ids=name_of)
def test_a_state_in_files_for_long(tmp_path: Path, mischief: Mischief) -> None:
    run_on_files(tmp_path, mischief, 100)


@pytest.mark.soak
@pytest.mark.parametrize("mischief", ON_HEADS, ids=name_of)
@pytest.mark.parametrize("engine", ENGINE_PARAMS)
def test_a_shared_state(engine: str, mischief: Mischief, tmp_path: Path) -> None:
    with serving(engine, tmp_path) as served:
        run_on_heads(served, mischief, 100)
