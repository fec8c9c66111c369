"""Prompts in files and sensitive tasks, through all commands, from validate to a lost response."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from reconciler.render import FORMATS
from tests.support.fault_server import Fault, FaultServer, Habits, Rule
from tests.support.sandbox import STATE, TOKEN, Ended, Sandbox

PROMPT = """\
Move the offer of Globex Corporation to the vault.

- Tell "legal" & <finance> about it; nobody else may hear of 7,300,000.
- Ärger vermeiden.
"""
LATER = PROMPT.replace("7,300,000", "8,100,000").replace("Move", "Bring back")
FORBIDDEN = [line for line in {*PROMPT.splitlines(), *LATER.splitlines()} if len(line) > 8]
STRETCHES = ["Globex", "7,300,000", "8,100,000", "Move the offer", "vermeiden", "legal"]


class Desk(Sandbox):
    """Commands that ask no service, too."""

    server: FaultServer

    def arguments(self, command: str, *more: str) -> list[str]:
        if command in ("show", "validate"):
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
        (made.folder / ".git").mkdir()
        (made.folder / "tasks" / "prompts" / "offer.md").write_text(PROMPT)
        yield made


def in_file(**more: object) -> dict[str, dict[str, object]]:
    return {"offer": {"message": {"contentFile": "prompts/offer.md"}, **more}}


def prompt_file(sandbox: Desk) -> Path:
    return sandbox.folder / "tasks" / "prompts" / "offer.md"


def all_reports(command: str) -> list[str]:
    kinds = [name for name in FORMATS if name != "json"]
    return [part for name in kinds for part in ("--report", f"{name}={command}.{name}")]


def everything_said(sandbox: Desk, *ended: Ended) -> str:
    files = [p for name in FORMATS for p in sandbox.folder.glob(f"*.{name}")]
    texts = [path.read_text() for path in files if path.name != STATE]
    return "\n".join([*texts, *(e.stdout + e.stderr for e in ended)])


def assert_silent(text: str) -> None:
    for secret in (*FORBIDDEN, *STRETCHES):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text


# Prompts in files


def test_a_prompt_from_a_file_is_sent_and_its_change_shown(sandbox: Desk) -> None:
    sandbox.write(in_file())
    assert sandbox.run("apply").code == 0
    assert sandbox.server.tasks_by_work() == {PROMPT: [sandbox.recorded()["offer"]]}
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
    sandbox.write(in_file(sensitive=True))
    assert sandbox.run("plan").actions() == {"offer": "unchanged"}


def test_a_saved_plan_is_refused_once_the_file_changed(sandbox: Desk) -> None:
    sandbox.write(in_file())
    assert sandbox.run("plan", "--out", "plan.taskctl").code == 0
    prompt_file(sandbox).write_text(LATER)
    refused = sandbox.run("apply", "plan.taskctl")
    assert refused.code == 1
    (problem,) = refused.document["diagnostics"]
    assert problem["code"] == "TC653"
    assert "act differently on acme/offer" in problem["summary"]
    assert sandbox.server.tasks_by_work() == {}


# Sensitive tasks


@pytest.mark.parametrize("inline", [False, True])
def test_no_output_shows_a_sensitive_prompt(sandbox: Desk, inline: bool) -> None:
    def write(text: str) -> None:
        message: object = text if inline else {"contentFile": "prompts/offer.md"}
        prompt_file(sandbox).write_text(text)
        sandbox.write({"offer": {"message": message, "sensitive": True, "name": "The offer"}})

    write(PROMPT)
    planned = sandbox.run("plan", "-v", "--out", "plan.taskctl", *all_reports("plan"))
    kept = (sandbox.folder / "plan.taskctl").read_text()
    digest = f"(sensitive) sha256:{sha256(PROMPT.encode()).hexdigest()[:32]}"
    assert digest in kept
    showed = sandbox.run("show", "plan.taskctl", "-v", *all_reports("show"))
    assert showed.document == planned.document
    applied = sandbox.run("apply", "plan.taskctl", *all_reports("apply"))
    assert applied.results() == {"offer": "created"}
    assert list(sandbox.server.tasks_by_work()) == [PROMPT]
    write(LATER)
    changed = sandbox.run("plan", "-v", *all_reports("changed"))
    change = changed.document["tasks"][0]["diff"][0]
    assert change["before"] == digest
    assert change["after"] == f"(sensitive) sha256:{sha256(LATER.encode()).hexdigest()[:32]}"
    listed = [sandbox.run("state list"), sandbox.run("state list", "offer")]
    texts = [sandbox.run("state list", "offer", "-v", "--format", "text")]
    (sandbox.folder / "tasks" / "all.yaml").write_text("version: 1\ntasks: {}\n")
    orphaned = sandbox.run("plan", "-v", *all_reports("orphaned"))
    assert orphaned.actions() == {"offer": "orphaned"}
    shown = [sandbox.run("state list", "offer")]
    ended = [planned, showed, applied, changed, *listed, *texts, orphaned, *shown]
    assert_silent(everything_said(sandbox, *ended) + kept)
    assert "The offer" in listed[1].stdout


def test_the_state_with_the_prompt_is_readable_only_by_its_owner(sandbox: Desk) -> None:
    sandbox.write(in_file(sensitive=True))
    assert sandbox.run("apply").code == 0
    (task,) = sandbox.state()["tasks"].values()
    assert task["inputs"]["message"]["content"] == PROMPT
    assert task["sensitive"] is True
    assert stat.S_IMODE((sandbox.folder / STATE).stat().st_mode) == 0o600


def test_records_become_sensitive_with_their_manifest(sandbox: Desk) -> None:
    sandbox.write(in_file())
    assert sandbox.run("apply").code == 0
    before = (sandbox.folder / STATE).read_bytes()
    assert b"sensitive" not in before
    sandbox.write(in_file(sensitive=True))
    assert_silent(sandbox.run("plan", "-v").stdout)
    assert sandbox.run("apply").code == 0
    assert_silent(sandbox.run("state list", "offer").stdout)
    marked = (sandbox.folder / STATE).read_bytes()
    assert sandbox.run("apply").code == 0
    assert (sandbox.folder / STATE).read_bytes() == marked
    sandbox.write(in_file())
    prompt_file(sandbox).write_text(LATER)
    assert_silent(
        sandbox.run("plan", "-v").stdout
    )  # until the record is no longer sensitive, either
    assert sandbox.run("state accept", "offer").code == 0
    assert "Globex" in sandbox.run("state list", "offer").stdout


@pytest.mark.parametrize("word", ["400", "echo"])
def test_an_error_of_the_service_that_repeats_the_prompt_is_masked(
    sandbox: Desk, word: str
) -> None:
    said = json.dumps({"content": PROMPT}) if word == "echo" else f"bad message: {PROMPT[:60]}..."
    rule = Rule("create", Fault("status", status=400, text=f"field 'message': {said}"))
    sandbox.server.set_rules(rule)
    sandbox.write(in_file(sensitive=True))
    applied = sandbox.run("apply", "-v", *all_reports("apply"))
    assert applied.results() == {"offer": "failed"}
    assert applied.document["tasks"][0]["error"] == "(sensitive) (HTTP 400)"
    assert_silent(everything_said(sandbox, applied))


def test_an_attempt_of_a_removed_sensitive_key_stays_masked(sandbox: Desk) -> None:
    rule = Rule("create", Fault("reset", committed=True), nth=(1,))
    failing = tuple(range(2, 99))  # the first request is that of the plan
    listing = Rule("list", Fault("status", status=500, text=PROMPT), nth=failing)
    sandbox.server.set_rules(rule, listing)
    sandbox.write(in_file(sensitive=True))
    applied = sandbox.run("apply", *all_reports("apply"))
    assert applied.results() == {"offer": "unresolved"}
    (sandbox.folder / "tasks" / "all.yaml").write_text("version: 1\norgName: acme\ntasks: {}\n")
    sandbox.server.set_rules()
    found = sandbox.run("apply", *all_reports("found"))
    assert found.results() == {"offer": "adopted"}
    assert next(iter(sandbox.state()["tasks"].values()))["sensitive"] is True
    assert_silent(everything_said(sandbox, applied, found, sandbox.run("state list", "offer")))


def test_diagnostics_of_a_sensitive_task_show_no_source_line(sandbox: Desk) -> None:
    prompt_file(sandbox).write_text(PROMPT + "\x07\n")
    sandbox.write(in_file(sensitive=True))
    validated = sandbox.run("validate", *all_reports("validate"))
    assert validated.code == 1
    assert '"tasks/prompts/offer.md"' in validated.stdout
    assert_silent(everything_said(sandbox, validated))


@pytest.mark.parametrize("inline", [False, True])
def test_diagnostics_of_a_sensitive_task_quote_nothing(sandbox: Desk, inline: bool) -> None:
    text = "Tell {{ Globex.legal }} about ${vermeiden}."
    prompt_file(sandbox).write_text(text)
    sandbox.write(
        {"offer": {"message": text, "sensitive": True}} if inline else in_file(sensitive=True)
    )
    validated = sandbox.run("validate", *all_reports("validate"))
    assert [d["code"] for d in validated.document["diagnostics"]] == ["TC311", "TC403"]
    assert "`(sensitive)` is sent to the agent literally" in validated.stdout
    assert_silent(everything_said(sandbox, validated))
