"""Suggested commands never contain hostile values of a state, a plan or a service."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.render import FORMATS
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE

EVIL = "$(touch owned)"
ELSEWHERE = f"https://evil.example/{EVIL};#"
COMMAND = re.compile(r"(taskctl|pulumi|--backend|\b(cp|mv|ls)) .*touch owned")
"""A command, or one in the middle of a sentence, with the hostile text in it."""


@pytest.fixture
def here(here: InProcess) -> InProcess:
    assert here.run("apply").code == 0
    return here


def printed(here: InProcess, *words: str) -> str:
    """Everything that a command prints."""
    ended = here.run_words(words)
    assert "Traceback" not in ended.stderr
    assert ended.code in (0, 1, 2, 3), ended.stderr
    return ended.stdout + "\n" + ended.stderr


def said(here: InProcess, *words: str) -> str:
    """The same, with the fault server as backend."""
    return printed(here, *words, "--backend", here.server.url)


def assert_harmless(text: str) -> None:
    text = text.replace("taskctl plan for", "")  # the name of a test suite
    for line in text.replace("\\n", "\n").replace('", "', "\n").splitlines():
        assert not COMMAND.search(line), line


def edited(here: InProcess, change: Callable[[dict[str, Any]], None]) -> None:
    state = here.sandbox.state()
    state.pop("checksum", None)
    change(state)
    (here.sandbox.folder / STATE).write_text(json.dumps(state))


def hostile_keys(state: dict[str, Any]) -> None:
    tasks = state["tasks"]
    tasks[f"acme/{EVIL}"] = tasks.pop("acme/k0")
    tasks[f"ac{EVIL}me/k1"] = tasks.pop("acme/k1")
    tasks["acme/k2"]["file"] = f"tasks/{EVIL}.yaml"


def hostile_ids(state: dict[str, Any]) -> None:
    for number, record in enumerate(state["tasks"].values()):
        record["taskId"] = f"{EVIL}-{number}"


def hostile_attempts(state: dict[str, Any]) -> None:
    """Open attempts, one of a hostile key and one that replaces a hostile task."""
    tasks = state["tasks"]
    for number, (org, key, old) in enumerate(
        [("acme", EVIL, ""), (f"ac{EVIL}me", "k1", ""), ("acme", "k2", EVIL), ("b", "k3", "")]
    ):
        record = tasks.pop(f"acme/k{number}")
        attempt = {
            name: record[name] for name in ("inputs", "digest", "file", "identity", "reference")
        }
        attempt |= {"task": f"{org}/{key}", "startedAt": record["createdAt"]}
        state["attempts"][str(record["number"])] = attempt | ({"replaces": old} if old else {})


COMMANDS = (
    ("plan",),
    ("plan", "-v", "--settle-time", "100ms"),
    ("plan", "--replace", "k2", "--replace", f"k3={EVIL}"),
    ("apply", "--yes", "--settle-time", "100ms"),
    ("status",),
    ("show", "k2"),
    ("wait", "--timeout", "1s", "k2"),
    ("state", "list"),
    ("state", "list", "k1", "-v"),
    ("state", "rm", "k3"),
    ("state", "mv", "k2", "k9"),
    ("state", "assign", "k1", "nowhere"),
    ("state", "close", "k1"),
    ("state", "dismiss", "acme/k1"),
    ("state", "init", "--continue", EVIL),
    ("say", "k2", "-m", "hello"),
    ("cancel", "--yes", "k2"),
)


@pytest.mark.parametrize("change", [hostile_keys, hostile_ids, hostile_attempts])
def test_hostile_values_of_a_state_appear_in_no_command(
    here: InProcess, change: Callable[[dict[str, Any]], None]
) -> None:
    edited(here, change)
    assert "[TC6" not in said(here, "state", "list")  # the state is readable
    for command in COMMANDS:
        assert_harmless(said(here, *command))
    for shown in FORMATS:
        assert_harmless(said(here, "plan", "--format", shown))


def test_the_backend_of_a_foreign_state_is_not_suggested(here: InProcess) -> None:
    edited(here, lambda state: state.update(backend=ELSEWHERE))
    for command in ("plan", "apply", "status"):
        text = said(here, command)
        assert_harmless(text)
        assert "[TC606]" in text
    edited(here, lambda state: state.update(backend="https://evil.example"))
    assert "--backend https://evil" not in said(here, "plan")


def test_hostile_values_of_a_saved_plan_appear_in_no_command(here: InProcess) -> None:
    here.sandbox.write({f"k{n}": {"message": f"do {n}"} for n in range(1, 6)})
    assert here.run("plan", "--out", "plan.taskctl").code == 0
    saved, hostile = (here.sandbox.folder / f"{name}.taskctl" for name in ("plan", "hostile"))
    text = saved.read_text()
    for old in ('"acme/k4"', '"acme/k5"', f'"{here.server.url}"', '"tasks"'):
        hostile.write_text(text.replace(old, json.dumps(EVIL)))
        assert_harmless(printed(here, "apply", "hostile.taskctl", "--yes"))


def test_hostile_values_of_a_service_appear_in_no_command(here: InProcess) -> None:
    for number, task in enumerate(here.server.world.tasks):
        task.shown["id"] = f"{EVIL}-{number}"
        task.shown["createdBy"] = {"githubLogin": EVIL, "name": EVIL}
        task.shown["name"] = EVIL
    (here.sandbox.folder / STATE).unlink()
    here.server.habits.default_org = EVIL
    for command in (
        *COMMANDS,
        ("import", "--mine"),
        ("import", "--mine", "--write", "tasks/new.yaml"),
        ("doctor",),
    ):
        assert_harmless(said(here, *command))


def test_a_hostile_address_appears_in_no_command(here: InProcess) -> None:
    assert_harmless(printed(here, "plan", "--backend", f"http://evil.example/{EVIL}"))


def test_a_key_of_a_hostile_state_is_left_out_of_the_command(here: InProcess) -> None:
    edited(here, hostile_keys)
    text = said(here, "plan", "-v")
    assert "taskctl state rm KEY" in text
    assert EVIL in text  # the row itself shows the key
