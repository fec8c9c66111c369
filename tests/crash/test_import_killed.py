"""An import is killed before, within and after each write; the next run completes it."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.support import crash_points
from tests.support.crash_points import Run
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.sandbox import TOKEN, Sandbox

BEFORE = "version: 1\norgName: acme\n# Ours.\ntasks: {}\n"
IMPORT = ("import", "--all", "--org", "acme", "--write", "tasks/all.yaml")


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:
        for number in range(3):
            _create(server.url, f"do {number}\nand more\n")
        yield server


def _create(url: str, text: str) -> None:
    message = {"type": "user_message", "timestamp": "2026-11-01T00:00:00Z", "content": text}
    request = urllib.request.Request(
        f"{url}/api/preview/agents/acme/tasks",
        json.dumps({"message": message}).encode(),
        {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201


def _ground(folder: Path, server: FaultServer, before: str | None) -> Sandbox:
    (folder / "tasks").mkdir(parents=True)
    if before is not None:
        (folder / "tasks" / "all.yaml").write_text(before)
    return Sandbox(folder, server)


def _killed(sandbox: Sandbox, number: int | None) -> Run:
    where = ["--backend", sandbox.server.url]
    return crash_points.run(
        [*IMPORT, *where], kill_at=number, files_only=True, cwd=sandbox.folder, env=_env(sandbox)
    )


def _env(sandbox: Sandbox) -> dict[str, str]:
    environment = sandbox.environment()
    return {name: environment[name] for name in ("PULUMI_ACCESS_TOKEN", "PULUMI_HOME")}


THIRDS = [0, *(pytest.param(chunk, marks=pytest.mark.soak) for chunk in (1, 2))]


@pytest.mark.parametrize("chunk", THIRDS)
@pytest.mark.parametrize("before", [None, BEFORE])
def test_killed_at_every_write_the_manifest_is_complete_and_the_next_run_recovers(
    tmp_path: Path,
    server: FaultServer,
    before: str | None,
    chunk: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At every third one, and at the others in `make soak`."""
    whole = _ground(tmp_path / "whole", server, before)
    ended = _killed(whole, None)
    assert ended.returncode == 0, ended.stderr
    after = (whole.folder / "tasks/all.yaml").read_text()
    recorded = whole.recorded()
    assert len(recorded) == 3

    def die(number: int) -> None:
        sandbox = _ground(tmp_path / str(number), server, before)
        assert _killed(sandbox, number).killed
        manifest = sandbox.folder / "tasks/all.yaml"
        text = manifest.read_text() if manifest.exists() else None
        assert text in (before, after)
        again = IMPORT if number % 2 or text == before else ("apply", "--yes")
        code = run([*again, "--backend", server.url, "-C", str(sandbox.folder)])
        assert code == 0
        assert manifest.read_text() == after
        assert sandbox.recorded() == recorded
        shutil.rmtree(sandbox.folder)

    for name, value in _env(whole).items():
        monkeypatch.setenv(name, value)
    for number in _interesting(ended)[chunk::3]:
        die(number)
    assert len(server.posts) == 3


def _interesting(ended: Run) -> Sequence[int]:
    """All points except those of the cache, which is optional."""
    return [p.number for p in ended.points if "cache" not in p.what]


@pytest.mark.parametrize("endpoint", ["user", "list", "events"])
def test_a_failed_read_writes_nothing(
    tmp_path: Path, server: FaultServer, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = _ground(tmp_path / "here", server, BEFORE)
    for name, value in _env(sandbox).items():
        monkeypatch.setenv(name, value)
    nth = (2,) if endpoint == "events" else ()
    rules = [Rule(endpoint, Fault("status", status=403), nth=nth)]
    server.set_rules(*rules)
    assert run([*IMPORT, "--backend", server.url, "-C", str(sandbox.folder)]) == 1
    assert (sandbox.folder / "tasks/all.yaml").read_text() == BEFORE
    assert not (sandbox.folder / "taskctl.state.json").exists()
    assert not (sandbox.folder / "taskctl.state.json.journal").exists()
    server.set_rules()
    assert run([*IMPORT, "--backend", server.url, "-C", str(sandbox.folder)]) == 0
    assert len(sandbox.recorded()) == 3
