"""No suggested command contains a value of a state, a plan or a service that is not of its kind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.render import FORMATS
from tests.support.fault_server import FaultServer, Habits
from tests.support.sandbox import STATE, TOKEN, Sandbox

EVIL = "$(touch owned)"
ELSEWHERE = f"https://evil.example/{EVIL};#"
COMMAND = re.compile(r"(taskctl|pulumi|--backend|\b(cp|mv|ls)) .*touch owned")
"""A command, or one in the middle of a sentence, with the hostile text in it."""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as running:
        yield running


@pytest.fixture
def sandbox(tmp_path: Path, server: FaultServer) -> Sandbox:
    made = Sandbox(tmp_path, server, settle="100ms")
    made.write({f"k{n}": {"message": f"do {n}"} for n in range(4)})
    assert made.run("apply").code == 0
    return made


def said(sandbox: Sandbox, *words: str, shown: str | None = None) -> str:
    """Everything that a command prints; in a format, if there is one."""
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *words, *(["--format", shown] if shown else [])],
        cwd=sandbox.folder,
        env=sandbox.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    assert ended.returncode in (0, 1, 2, 3), ended.stderr
    return ended.stdout + "\n" + ended.stderr


def assert_harmless(text: str) -> None:
    text = text.replace("taskctl plan for", "")  # the name of a test suite
    for line in text.replace("\\n", "\n").replace('", "', "\n").splitlines():
        assert not COMMAND.search(line), line


def edited(sandbox: Sandbox, change: Callable[[dict[str, Any]], None]) -> None:
    state = sandbox.state()
    state.pop("checksum", None)
    change(state)
    (sandbox.folder / STATE).write_text(json.dumps(state))


def hostile_keys(state: dict[str, Any]) -> None:
    tasks = state["tasks"]
    tasks[f"acme/{EVIL}"] = tasks.pop("acme/k0")
    tasks[f"ac{EVIL}me/k1"] = tasks.pop("acme/k1")
    tasks["acme/k2"]["file"] = f"tasks/{EVIL}.yaml"


def hostile_ids(state: dict[str, Any]) -> None:
    for number, record in enumerate(state["tasks"].values()):
        record["taskId"] = f"{EVIL}-{number}"


def hostile_attempts(state: dict[str, Any]) -> None:
    """Open attempts: of a hostile key, and of one that meant to replace a hostile task."""
    tasks = state["tasks"]
    for number, (org, key, old) in enumerate(
        [("acme", EVIL, ""), (f"ac{EVIL}me", "k1", ""), ("acme", "k2", EVIL), ("b", "k3", "")]
    ):
        record = tasks.pop(f"acme/k{number}")
        mark = state["lastMark"]
        attempt = {name: record[name] for name in ("inputs", "digest", "file", "identity")}
        attempt |= {"task": f"{org}/{key}", "startedAt": record["createdAt"]}
        state["attempts"][mark[:-2] + f"{number}Z"] = attempt | ({"replaces": old} if old else {})


COMMANDS = (
    ("plan",),
    ("plan", "-v", "--adopt", "all", "--settle-time", "100ms"),
    ("plan", "--replace", "k2", "--replace", f"k3={EVIL}"),
    ("apply", "--yes", "--settle-time", "100ms"),
    ("status",),
    ("show", "k2"),
    ("wait", "--timeout", "1s", "k2"),
    ("state", "list"),
    ("state", "show", "k1"),
    ("state", "rm", "k3"),
    ("state", "mv", "k2", "k9"),
    ("state", "resolve", "k1", "--not-created"),
    ("say", "k2", "-m", "hello"),
    ("cancel", "--yes", "k2"),
)


@pytest.mark.parametrize("change", [hostile_keys, hostile_ids, hostile_attempts])
def test_of_a_state(
    sandbox: Sandbox, server: FaultServer, change: Callable[[dict[str, Any]], None]
) -> None:
    edited(sandbox, change)
    assert "[TC6" not in said(sandbox, "state", "list", "--backend", server.url)  # it can be read
    for command in COMMANDS:
        assert_harmless(said(sandbox, *command, "--backend", server.url))
    for shown in FORMATS:
        assert_harmless(said(sandbox, "plan", "--backend", server.url, shown=shown))


def test_a_state_of_another_backend_names_none_to_use(
    sandbox: Sandbox, server: FaultServer
) -> None:
    edited(sandbox, lambda state: state.update(backend=ELSEWHERE))
    for command in ("plan", "apply", "status"):
        text = said(sandbox, command, "--backend", server.url)
        assert_harmless(text)
        assert "[TC606]" in text
    edited(sandbox, lambda state: state.update(backend="https://evil.example"))
    assert "--backend https://evil" not in said(sandbox, "plan", "--backend", server.url)


def test_of_a_saved_plan(sandbox: Sandbox, server: FaultServer) -> None:
    sandbox.write({f"k{n}": {"message": f"do {n}"} for n in range(1, 6)})
    assert sandbox.run("plan", "--out", "plan.taskctl").code == 0
    text = (sandbox.folder / "plan.taskctl").read_text()
    for old in ("k4", "acme", "k0", server.url):
        (sandbox.folder / "hostile.taskctl").write_text(text.replace(f'"{old}"', json.dumps(EVIL)))
        for command in ("show", "apply"):
            yes = ("--yes",) if command == "apply" else ()
            assert_harmless(said(sandbox, command, *yes, "hostile.taskctl"))


def test_of_a_service(sandbox: Sandbox, server: FaultServer) -> None:
    for number, task in enumerate(server.world.tasks):
        task.shown["id"] = f"{EVIL}-{number}"
        task.shown["createdBy"] = {"githubLogin": EVIL, "name": EVIL}
        task.shown["name"] = EVIL
    (sandbox.folder / STATE).unlink()
    server.habits.default_org = EVIL
    for command in (
        *COMMANDS,
        ("import", "--mine"),
        ("import", "--mine", "--write", "tasks/new.yaml"),
        ("doctor",),
    ):
        assert_harmless(said(sandbox, *command, "--backend", server.url))


def test_of_an_address_over_plain_http(sandbox: Sandbox) -> None:
    assert_harmless(said(sandbox, "plan", "--backend", f"http://evil.example/{EVIL}"))


def test_a_key_of_a_hostile_state_is_left_out_of_the_command(
    sandbox: Sandbox, server: FaultServer
) -> None:
    edited(sandbox, hostile_keys)
    text = said(sandbox, "plan", "-v", "--backend", server.url)
    assert "taskctl state rm KEY" in text
    assert EVIL in text  # the row itself says whose
