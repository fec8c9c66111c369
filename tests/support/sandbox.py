"""A directory with manifests, a fault server, and the real taskctl commands."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support.called import call
from tests.support.fault_server import FaultServer, Habits
from tests.support.forked import Forked, start
from tests.support.references import Sent, check_references
from tests.support.state_engines import Served

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "pul-0123456789abcdef0123456789abcdef01234567"
STATE = "taskctl.state.json"


class Server(Protocol):
    url: str

    def tasks_by_work(self) -> dict[str, list[str]]: ...

    def references(self) -> dict[str, list[Sent]]: ...


@dataclass(frozen=True)
class Ended:
    """A finished command. `document` is its stdout as JSON."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.stdout)
        return made

    def results(self) -> dict[str, str]:
        return {task["key"]: task["result"] for task in self.document["tasks"]}

    def actions(self) -> dict[str, str]:
        return {task["key"]: task["action"] for task in self.document["tasks"]}


@dataclass
class Sandbox:
    """`settle` is the settle time of every command, as text; `env` is added to its environment. The
    state is a file, or at the address of `TASKCTL_STATE` in `env`. Commands run in this process,
    except those that a test starts, to kill them or to run several at once."""

    folder: Path
    server: Server
    settle: str = "10s"
    env: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        """The directory of the cache."""
        return Path(f"{self.folder}-cache", "taskctl")

    def write(
        self, tasks: Mapping[str, Mapping[str, Any]], name: str = "all", **members: Any
    ) -> None:
        """Writes the manifest `tasks/NAME.yaml` (JSON is YAML), with further `members`."""
        path = self.folder / "tasks" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"version": 1, "orgName": "acme", "tasks": tasks, **members}))

    def arguments(self, command: str, *more: str) -> list[str]:
        options = ["--backend", self.server.url]
        if command not in ("say", "approve", "cancel"):
            options += ["--format", "json"]
        if command in ("plan", "apply"):
            options += ["--settle-time", self.settle]
        return [command, *options, *(["--yes"] if command == "apply" else []), *more]

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PULUMI_ACCESS_TOKEN": TOKEN,
            "PULUMI_HOME": str(self.folder / "pulumi-home"),
            "TASKCTL_CACHE_DIR": str(self.cache.parent),
            **self.env,
        }

    def start(self, command: str, *more: str) -> Forked:
        """A separate process."""
        return start(self.arguments(command, *more), self.folder, self.environment())

    def run(self, command: str, *more: str) -> Ended:
        return self._run(self.arguments(command, *more))

    def _run(self, words: list[str]) -> Ended:
        return Ended(*call(words, self.folder, self.environment()))

    def on_state(self, *words: str) -> str:
        """The output of a `state` command of a shared state, which must succeed."""
        ended = self._run(["state", *words])
        assert ended.code == 0, ended.stdout + ended.stderr
        return ended.stdout

    def state(self) -> dict[str, Any]:
        is_shared = "TASKCTL_STATE" in self.env
        text = self.on_state("pull") if is_shared else (self.folder / STATE).read_text()
        read: dict[str, Any] = json.loads(text)
        return read

    def recorded(self) -> dict[str, str]:
        """Task ids by key."""
        return {ref.split("/")[1]: t["taskId"] for ref, t in self.state()["tasks"].items()}

    def assert_exactly_one_each(self, texts: Mapping[str, str]) -> None:
        """Asserts that each key (`texts`: its prompt) has exactly one task, that it is the recorded
        one, that its reference names the key, and that there are no others."""
        made, recorded = self.server.tasks_by_work(), self.recorded()
        assert made == {text: [recorded[key]] for key, text in texts.items()}
        check_references(self.server.references(), {text: key for key, text in texts.items()})


def shared_sandbox(served: Served, server: Server, settle: str = "10s") -> Sandbox:
    """A sandbox with a new state in an engine."""
    runner = served.runner(f"s{secrets.token_hex(4)}")
    env = {**runner.env, "TASKCTL_STATE": runner.address, "TASKCTL_BACKEND": server.url}
    made = Sandbox(runner.folder, server, settle, env)
    made.on_state("init", "--new")
    return made


def prompts(count: int) -> dict[str, str]:
    return {f"k{number}": f"do {number}" for number in range(count)}


def as_tasks(
    texts: Mapping[str, str], named: Iterable[str] = (), **settings: Any
) -> dict[str, dict[str, Any]]:
    """Manifest tasks; those `named` are patched after the create, all have these `settings`."""
    patched = {"name": "A name", "isShared": True}
    return {
        key: {"message": text, **settings, **(patched if key in named else {})}
        for key, text in texts.items()
    }


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A service whose only user has the token of `Sandbox`."""
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as running:
        yield running
