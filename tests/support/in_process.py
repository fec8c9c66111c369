"""Commands run in this process against a fault server in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.remote import transport
from reconciler.remote.exchange import Timeouts
from tests.support.fault_server import FaultServer, Habits
from tests.support.sandbox import TOKEN, Ended, Sandbox, as_tasks, prompts, shared_sandbox
from tests.support.state_engines import Served

TEXTS = prompts(4)


@dataclass
class InProcess:
    """A folder of manifests, the server, and what runs between them."""

    sandbox: Sandbox
    server: FaultServer
    capture: pytest.CaptureFixture[str]

    def run(self, command: str, *more: str) -> Ended:
        return self.run_words(self.sandbox.arguments(command, *more))

    def run_state(self, *words: str) -> Ended:
        return self.run_words(["state", *words, "--backend", self.server.url, "--format", "json"])

    def run_words(self, words: Sequence[str]) -> Ended:
        code = main.run([*words, "-C", str(self.sandbox.folder)])
        out, err = self.capture.readouterr()
        return Ended(code, out, err)

    def finish(self, *keys: str) -> None:
        """The agents of the tasks of these keys finish; of all without keys."""
        ids = {task_id for key, task_id in self.sandbox.recorded().items() if key in keys}
        said = {"type": "assistant_message", "is_final": True, "content": "Done."}
        for task in self.server.world.tasks:
            if keys and task.id not in ids:
                continue
            task.shown |= {"status": "idle"}
            last = {"id": "last", "type": "agentResponse", "eventBody": said}
            task.events.append(last)

    def fail(self, *keys: str) -> None:
        """The agents of the tasks of these keys fail."""
        ids = {task_id for key, task_id in self.sandbox.recorded().items() if key in keys}
        for task in self.server.world.tasks:
            if task.id in ids:
                task.shown |= {"status": "idle"}
                body = {"type": "error", "message": "out of memory"}
                task.events.append({"id": "last", "type": "agentResponse", "eventBody": body})

    def within(self, name: str) -> InProcess:
        """The same server, with a new directory."""
        folder = self.sandbox.folder / name
        folder.mkdir()
        return replace(self, sandbox=replace(self.sandbox, folder=folder))

    def assert_settled(self, texts: dict[str, str] | None = None) -> None:
        self.sandbox.assert_exactly_one_each(texts or TEXTS)
        again = self.run("apply")
        assert (again.code, again.document["tasks"]) == (0, [])
        self.sandbox.assert_exactly_one_each(texts or TEXTS)


def limit_creates(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """A create times out after that many seconds, also on a machine that is slow: only for tests
    in which one must."""
    monkeypatch.setattr(transport, "Timeouts", partial(Timeouts, create=seconds))


@contextmanager
def in_process(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capture: pytest.CaptureFixture[str],
    served: Served | None = None,
) -> Iterator[InProcess]:
    """Four tasks, one of them with a name and shared. The state is a file in `folder`, or on the
    server of an engine."""
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:
        sandbox = shared_sandbox(served, server) if served else Sandbox(folder, server)
        monkeypatch.chdir(sandbox.folder)
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        sandbox.write(as_tasks(TEXTS, named=["k1"]))
        yield InProcess(sandbox, server, capture)


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[InProcess]:
    with in_process(tmp_path, monkeypatch, capsys) as here:
        yield here
