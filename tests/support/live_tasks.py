"""Tasks of an embedded service over HTTP whose course a test chooses, and the real commands."""

from __future__ import annotations

import json
import os
import textwrap
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.embedded.lifecycle import Scenario, Script, Turn, message, step
from reconciler.embedded.scenarios import scenario_of
from reconciler.embedded.server import Server
from reconciler.embedded.wsgi import JsonObject
from tests.support.budgeted_app import BudgetedApp, TokenBudget
from tests.support.embedded_client import Api
from tests.support.forked import Forked, start
from tests.support.references import without_reference
from tests.support.sandbox import TOKEN
from tests.support.skipped_time import skipped_now

WORK_SECONDS = 0.05
REQUEST_THREADS = 4
"""Far fewer than the service has: each server would start them all."""
LONGER = 0.2
"""After that many seconds, an agent that is not slow has finished."""


@dataclass
class ServiceTime:
    """The service's clock, some time ahead of this process's. Stopped, it keeps a task running
    however slow the machine is."""

    ahead: timedelta = timedelta()
    stopped: datetime | None = None

    def __call__(self) -> datetime:
        return (self.stopped or skipped_now()) + self.ahead

    def stop(self) -> None:
        self.stopped = skipped_now()

    def advance(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@dataclass
class LiveTasks:
    """A repository before a service; commands run in this process, and where one would wait, the
    clocks of both are set ahead."""

    folder: Path
    url: str
    api: Api
    capture: pytest.CaptureFixture[str]
    time: ServiceTime = field(default_factory=ServiceTime)

    def write(self, tasks: Mapping[str, str], **settings: Any) -> None:
        """The manifest `tasks/all.yaml`: prompts by key."""
        self.write_tasks(**{key: {"message": text, **settings} for key, text in tasks.items()})

    def write_tasks(self, **tasks: Mapping[str, Any]) -> None:
        """The manifest with these tasks by key."""
        text = json.dumps({"version": 1, "orgName": "acme", "tasks": tasks})
        self._manifest().write_text(text)

    def write_rows(self, does: str, rollout: str = "{}", more: str = "") -> None:
        """An entry `t` whose rows are named a, b, ...; `does` has the first word of each prompt."""
        rows = [f"{{name: {'abcdefgh'[n]}, does: {word}}}" for n, word in enumerate(does.split())]
        text = f"""
            version: 1
            orgName: acme
            tasks:
              t:
                forEach: {{row: [{", ".join(rows)}]}}
                rollout: {rollout}
                message: "{{{{ row.does }}}} the work of {{{{ row.name }}}}"
            """
        self._manifest().write_text(textwrap.dedent(text) + textwrap.indent(more, "  "))

    def _manifest(self) -> Path:
        path = self.folder / "tasks" / "all.yaml"
        path.parent.mkdir(exist_ok=True)
        return path

    def validated(self) -> tuple[int, str]:
        """The exit code and stderr of `taskctl validate`."""
        self.capture.readouterr()
        code = run(["-C", str(self.folder), "validate"])
        return code, self.capture.readouterr().err

    def apply(self, tasks: Mapping[str, str], **settings: Any) -> None:
        self.write(tasks, **settings)
        code, out, err = self.run("apply", "--yes")
        assert code == 0, out + err

    def run(self, command: str, *more: str) -> tuple[int, str, str]:
        self.capture.readouterr()
        arguments = [command, *more, "--backend", self.url, "-C", str(self.folder)]
        code = run(arguments)
        said = self.capture.readouterr()
        return code, said.out, said.err

    def request(self, key: str) -> str:
        """The ID of the only open request of a task."""
        ((request,),) = (task["waitingFor"] for task in self.document("status", key)["tasks"])
        return str(request["requestId"])

    def answer(self, command: str, key: str, *more: str) -> tuple[int, str, str]:
        return self.run(command, key, "--request", self.request(key), "-y", *more)

    def document(self, command: str, *more: str) -> dict[str, Any]:
        code, out, err = self.run(command, *more, "--format", "json")
        assert out, (code, err)
        read: dict[str, Any] = json.loads(out)
        return read

    def statuses(self) -> dict[str, str]:
        return {task["key"]: task["status"] for task in self.document("status")["tasks"]}

    def finish(self, **expected: str) -> None:
        """The agents finish, and all tasks then have these statuses."""
        self.time.advance(LONGER)
        assert self.statuses() == expected

    def task_id(self, key: str) -> str:
        state = json.loads((self.folder / "taskctl.state.json").read_text())
        return str(state["tasks"][f"acme/{key}"]["taskId"])

    def start(self, command: str, *more: str) -> Forked:
        """A separate process."""
        return start([command, *more, "--backend", self.url], self.folder, os.environ)


def _scenario(usual: Scenario, seconds: float, turn: Turn) -> Script:
    """Two more scenarios: a task that ends without a final message, and a task that ends with a
    tool call for a client."""
    ends = turn.started_ms + round(seconds * 1000)
    match without_reference(str(turn.event.get("content"))).split():
        case ["stopping", *_]:
            body = message("I am looking at it.", is_final=False)
        case ["delegating", *_]:
            call: JsonObject = {"id": "call-1", "name": "filesystem__directory_tree", "args": {}}
            body = message("I need a list of the files.", tool_calls=[call])
        case _:
            return usual(turn)
    return Script((step(ends, body),), ends, tokens=300)


@contextmanager
def live_tasks(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capture: pytest.CaptureFixture[str],
    *,
    work_seconds: float = WORK_SECONDS,
    budget: TokenBudget | None = None,
) -> Iterator[LiveTasks]:
    """The first word of each prompt says how its task lives: `stopping`, `delegating`, or see
    `embedded/scenarios.py`."""
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("PULUMI_HOME", str(folder / "pulumi-home"))
    monkeypatch.setattr("reconciler.embedded.server.REQUEST_THREADS", REQUEST_THREADS)
    clock = ServiceTime()
    scenario = partial(_scenario, scenario_of("by-prompt", work_seconds), work_seconds)
    with (
        closing(BudgetedApp(folder / "service.db", now=clock, scenario=scenario)) as app,
        closing(Server(app, "127.0.0.1", 0)) as server,
    ):
        app.budget = budget
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield LiveTasks(folder, server.url, Api(app, token=TOKEN), capture, clock)
        finally:
            server.stop()
            thread.join()


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    with live_tasks(tmp_path, monkeypatch, capsys) as place:
        yield place
