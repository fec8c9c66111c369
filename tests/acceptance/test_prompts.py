"""Prompts in files, through the commands that read and show them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import FaultServer, Habits
from tests.support.repository import new_repository, track
from tests.support.sandbox import STATE, TOKEN, Sandbox

PROMPT = """\
Move the offer of Globex Corporation to the vault.

- Tell "legal" & <finance> about it; nobody else may hear of 7,300,000.
- Ärger vermeiden.
"""
LATER = PROMPT.replace("7,300,000", "8,100,000").replace("Move", "Bring back")


class Desk(Sandbox):
    """Commands that ask no service, too."""

    server: FaultServer

    def arguments(self, command: str, *more: str) -> list[str]:
        if command == "validate":
            return [command, "--format", "json", *more]
        if command.startswith("state"):
            where = ["--backend", self.server.url, "--format", "json"]
            return [*command.split(), *where, *more]
        return super().arguments(command, *more)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Desk]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me"})) as server:
        made = Desk(tmp_path / "here", server)
        (made.folder / "tasks" / "prompts").mkdir(parents=True)
        new_repository(made.folder)
        (made.folder / "tasks" / "prompts" / "offer.md").write_text(PROMPT)
        track(made.folder)
        yield made


def in_file(**more: object) -> dict[str, dict[str, object]]:
    return {"offer": {"message": {"contentFile": "prompts/offer.md"}, **more}}


def prompt_file(sandbox: Desk) -> Path:
    return sandbox.folder / "tasks" / "prompts" / "offer.md"


# Prompts in files


def test_a_prompt_from_a_file_is_sent_and_its_change_shown(sandbox: Desk) -> None:
    sandbox.write(in_file())
    assert sandbox.run("apply").code == 0
    assert sandbox.server.tasks_by_work() == {PROMPT.rstrip(): [sandbox.recorded()["offer"]]}
    assert sandbox.run("plan").actions() == {"offer": "unchanged"}
    prompt_file(sandbox).write_text(LATER)
    (task,) = sandbox.run("plan").document["tasks"]
    assert (task["action"], task["file"], task["line"]) == ("changed", "tasks/all.yaml", 1)
    assert [d["path"] for d in task["diff"]] == ["message.content"]
    accepted = sandbox.run("state accept", "offer")
    assert accepted.document["edits"][0]["changed"] is True
    assert sandbox.run("plan").actions() == {"offer": "unchanged"}


def test_moving_a_prompt_into_a_file_changes_nothing(sandbox: Desk) -> None:
    sandbox.write({"offer": {"message": PROMPT}})
    assert sandbox.run("apply").code == 0
    sandbox.write(in_file())
    assert sandbox.run("plan").actions() == {"offer": "unchanged"}


def test_a_saved_plan_is_refused_once_the_file_changed(sandbox: Desk) -> None:
    sandbox.write(in_file())
    assert sandbox.run("plan", "--out", "plan.taskctl").code == 0
    prompt_file(sandbox).write_text(LATER)
    refused = sandbox.run("apply", "plan.taskctl")
    assert refused.code == 1
    (problem,) = refused.document["diagnostics"]
    assert problem["code"] == "TC653"
    assert "different for acme/offer" in problem["summary"]
    assert sandbox.server.tasks_by_work() == {}


def test_the_state_with_the_prompt_is_readable_only_by_its_owner(sandbox: Desk) -> None:
    sandbox.write(in_file())
    assert sandbox.run("apply").code == 0
    (task,) = sandbox.state()["tasks"].values()
    assert task["inputs"]["message"]["content"] == PROMPT
    assert stat.S_IMODE((sandbox.folder / STATE).stat().st_mode) == 0o600
