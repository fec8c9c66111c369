"""taskctl in this process before a fault server in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.remote import transport
from tests.support.fault_server import FaultServer, Habits
from tests.support.ground import TOKEN, Ended, Ground, as_tasks, prompts

TEXTS = prompts(4)


@dataclass
class Here:
    """A folder of manifests, the server, and what runs between them."""

    ground: Ground
    server: FaultServer
    capture: pytest.CaptureFixture[str]

    def run(self, command: str, *more: str) -> Ended:
        code = main.run(self.ground.arguments(command, *more))
        out, err = self.capture.readouterr()
        return Ended(code, out, err)

    def run_state(self, *words: str) -> Ended:
        code = main.run(["state", *words, "--backend", self.server.url, "--format", "json"])
        out, err = self.capture.readouterr()
        return Ended(code, out, err)

    def assert_settled(self, texts: dict[str, str] | None = None) -> None:
        self.ground.assert_exactly_one_each(texts or TEXTS)
        again = self.run("apply")
        assert (again.code, again.document["tasks"]) == (0, [])
        self.ground.assert_exactly_one_each(texts or TEXTS)


@contextmanager
def placed_here(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """Four tasks, one of them with a name and shared; a create may take half a second."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(transport, "Timeouts", partial(transport.Timeouts, create=0.5))
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:
        ground = Ground(folder, server)
        for name, value in ground.environment().items():
            monkeypatch.setenv(name, value)
        ground.write(as_tasks(TEXTS, named=["k1"]))
        yield Here(ground, server, capture)
