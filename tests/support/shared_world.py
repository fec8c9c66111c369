"""Applies with a shared state, in which every request to the state and to the service can be
intercepted: killed, stopped or lost."""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from tests.support import machine_process
from tests.support.called import call
from tests.support.fault_proxy import Asked, FaultProxy
from tests.support.fault_server import FaultServer, Habits
from tests.support.forked import Forked
from tests.support.sandbox import ROOT, TOKEN, Ended, as_tasks, prompts
from tests.support.state_engines import Served

Phase = Literal["before", "after"]


@dataclass
class Shared:
    """One state, one service, and the processes that use them. While a process is watched, `meet`
    is called with the number of each request, counted over both servers from 1."""

    served: Served
    service: FaultServer
    stack: ExitStack
    settle: str = "3s"
    texts: Mapping[str, str] = field(default_factory=lambda: prompts(3))
    meet: Callable[[int, Phase], None] | None = None
    count: int = 0
    asked: list[str] = field(default_factory=list)
    process: Forked | None = None
    _guard: Any = field(default_factory=Lock)
    _numbers: dict[Asked, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = f"s{secrets.token_hex(4)}"
        port = int(self.service.url.rpartition(":")[2])
        enter = self.stack.enter_context
        self.to_state = enter(FaultProxy(self.served.port, self.served.protocol))
        self.to_service = enter(FaultProxy(port))
        self.to_state.hook = self.to_service.hook = self._seen
        self.must(["state", "init", "--new"])

    def _seen(self, asked: Asked, phase: Phase) -> None:
        meet = self.meet
        if meet is None or self.process is None:  # a clone is being prepared
            return
        with self._guard:
            if phase == "before":
                self.count += 1
                self.asked.append(asked.what.split("?")[0][:70])
                self._numbers[asked] = self.count
            number = self._numbers.get(asked, 0)
        meet(number, phase)

    def start(
        self, *words: str, machine: str = "", fast: bool = True, watched: bool = False
    ) -> Forked:
        """`watched`: the state is reached through a proxy. `machine`: runs as on another machine,
        at a `fast` pace."""
        folder, env = self._prepare(watched=watched)
        run = machine_process.run if machine and fast else machine_process.run_at_once
        process = Forked(partial(run, machine), words, cwd=folder, env=env)
        if watched:
            self.process = process
        return process

    def _prepare(self, *, watched: bool = False) -> tuple[Path, dict[str, str]]:
        """A new folder with the manifest, and the environment of its commands."""
        runner = self.served.runner(self.state, self.to_state.port if watched else None)
        (runner.folder / "tasks").mkdir()
        manifest = {"version": 1, "orgName": "acme", "tasks": as_tasks(self.texts, named=["k0"])}
        (runner.folder / "tasks/all.yaml").write_text(json.dumps(manifest))
        env = {
            "PYTHONPATH": str(ROOT),
            "PULUMI_ACCESS_TOKEN": TOKEN,
            "PULUMI_HOME": str(runner.folder / "home"),
            "TASKCTL_STATE": runner.address,
            "TASKCTL_SETTLE_TIME": self.settle,
            "TASKCTL_BACKEND": self.to_service.url,
        }
        return runner.folder, {**os.environ, **runner.env, **env}

    def run(self, *words: str) -> Ended:
        """In this process."""
        return Ended(*call(words, *self._prepare()))

    def must(self, words: list[str], machine: str = "") -> str:
        """The output of a command that must succeed."""
        if machine:
            process = self.start(*words, machine=machine)
            out, err = process.communicate()
            ended = Ended(process.wait(), out, err)
        else:
            ended = self.run(*words)
        assert ended.code == 0, f"{words}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    def killed(self, number: int, phase: Phase, parallelism: int = 1) -> bool:
        """Runs an apply that gets SIGKILL at that request, with its child processes; False if it
        sent fewer requests. The request itself is forwarded."""
        dead: list[int] = []

        def kill(now: int, at: Phase) -> None:
            if (now, at) == (number, phase) and not dead:
                dead.append(now)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

        with self.watching(kill):
            process = self.start("apply", "-y", "--parallelism", str(parallelism), watched=True)
            out, said = process.communicate()
        assert dead or process.returncode == 0, out + said
        return bool(dead)

    @contextmanager
    def watching(self, meet: Callable[[int, Phase], None]) -> Iterator[None]:
        self.meet, self.process, self.count, self.asked = meet, None, 0, []
        self._numbers.clear()
        try:
            yield
        finally:
            self.meet = None

    def assert_whole(self) -> None:
        """Asserts that each key has one task, the recorded one, with its name; that no attempt is
        open and no lock is held."""
        made = self.service.tasks_by_work()
        assert {text: len(ids) for text, ids in made.items()} == Counter(self.texts.values())
        state: Mapping[str, Any] = json.loads(self.must(["state", "pull"]))
        recorded = {ref: task["taskId"] for ref, task in state["tasks"].items()}
        assert recorded == {f"acme/{key}": made[text][0] for key, text in self.texts.items()}
        assert not state["attempts"]
        named = [task.shown["isShared"] for task in self.service.world.tasks]
        assert named.count(True) == 1


@contextmanager
def shared(served: Served, **more: Any) -> Iterator[Shared]:
    with (
        FaultServer(habits=Habits(tokens={TOKEN: "me"})) as service,
        ExitStack() as stack,
    ):
        yield Shared(served, service, stack, **more)
