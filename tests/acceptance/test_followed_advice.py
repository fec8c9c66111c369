"""Advice is code: after the commands that an error about a state or an attempt prints, each key has
exactly one task."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE, Ended, as_tasks

DOWN = Rule("list", Fault("status", status=500), nth=tuple(range(2, 999)))


def commands(ended: Ended) -> list[list[str]]:
    """The commands of the first diagnostic, in order."""
    detail = ended.document["diagnostics"][0]["detail"]
    found = [shlex.split(line) for line in detail.splitlines()]
    return [words for words in found if words and words[0] in ("taskctl", "mv", "git", "ls")]


def follow(here: InProcess, advice: list[list[str]], lost: str = "") -> None:
    """Runs the commands as they are printed, with `ID` for the ID of a lost state."""
    for words in advice:
        if words[0] == "mv":
            Path(words[1]).rename(words[2])
        elif words[0] == "git":  # --ours of a merge: the file as it was before
            (here.sandbox.folder / STATE).write_bytes(
                (here.sandbox.folder / "ours.json").read_bytes()
            )
        elif words[0] == "taskctl":
            given = [lost if word == "ID" else word for word in words[1:]]
            confirmed = ["-y"] if "apply" in given or "--continue" in given else []
            ended = here.run_words([*given, *confirmed])
            assert ended.code == 0 or "plan" in given, (words, ended.stdout, ended.stderr)


def one_task_each(here: InProcess, keys: str) -> None:
    ended = here.run("apply")
    assert ended.code == 0, ended.stdout
    made = here.server.tasks_by_work()
    recorded = here.sandbox.recorded()
    assert sorted(recorded) == list(keys)
    assert sorted(recorded.values()) == sorted(ids[0] for ids in made.values())
    assert {len(ids) for ids in made.values()} == {1}


def of(keys: str, edited: str = "") -> dict[str, dict[str, str]]:
    return as_tasks({key: f"do {key}{' better' * (key in edited)}" for key in keys})


@pytest.fixture
def two_applies(here: InProcess) -> InProcess:
    """`a` and then `b` were created; the prompt of `b` was edited since."""
    for keys in ("a", "ab"):
        here.sandbox.write(of(keys))
        assert here.run("apply").code == 0
    here.sandbox.write(of("ab", edited="b"))
    return here


def cut(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:300])


def empty(state: Path) -> None:
    state.write_bytes(b"")


def zeros(state: Path) -> None:
    state.write_bytes(bytes(500))


def binary(state: Path) -> None:
    state.write_bytes(b"\xff\xfe" + state.read_bytes())


def merged(state: Path) -> None:
    (state.parent / "ours.json").write_bytes(Path(f"{state}.backup").read_bytes())
    state.write_bytes(b"<<<<<<< ours\n" + state.read_bytes())


def broken_journal(state: Path) -> None:
    Path(f"{state}.journal").write_text("not\na journal\n")
    state.write_bytes(Path(f"{state}.backup").read_bytes())


@pytest.mark.parametrize("damage", [cut, empty, zeros, binary, merged, broken_journal])
@pytest.mark.parametrize("backup", [True, False], ids=["backup", "no-backup"])
def test_a_damaged_state_is_restored_as_its_error_says(
    two_applies: InProcess, damage: Callable[[Path], None], *, backup: bool
) -> None:
    here = two_applies
    state = here.sandbox.folder / STATE
    (lost,) = here.sandbox.state()["provenance"]["ids"]
    damage(state)
    if not backup and damage not in (merged, broken_journal):
        Path(f"{state}.backup").unlink()
    ended = here.run("plan")
    assert ended.code == 1
    follow(here, commands(ended), lost)
    one_task_each(here, "ab")


def test_a_journal_of_another_state_is_moved_aside_as_its_error_says(
    two_applies: InProcess,
) -> None:
    here = two_applies
    state = here.sandbox.folder / STATE
    other = here.within("other")
    assert other.run_state("init", "--new").code == 0
    other.sandbox.write(of("x"))
    other.server.set_rules(Rule("create", Fault("reset")), DOWN)
    other.run("apply")
    other.server.set_rules()
    read = json.loads((other.sandbox.folder / STATE).read_text())
    header = {
        "lineage": read["lineage"],
        "backend": read["backend"],
        "provenance": read["provenance"],
        "state": "",
        "id": "0" * 16,
        "version": read["version"],
    }
    attempt = next(iter(read["attempts"].values()))
    lines = [json.dumps(header), json.dumps({"event": "attempted", "attempt": attempt})]
    Path(f"{state}.journal").write_text("".join(f"{line}\n" for line in lines))
    ended = here.run("plan")
    assert ended.document["diagnostics"][0]["code"] in ("TC607", "TC608"), ended.stdout
    follow(here, commands(ended))
    one_task_each(here, "ab")


def test_a_lost_state_is_continued_as_its_error_says(two_applies: InProcess) -> None:
    here = two_applies
    for path in here.sandbox.folder.glob(f"{STATE}*"):
        path.unlink()
    ended = here.run("apply")
    advice = [words for words in commands(ended) if "--continue" in words]
    follow(here, advice)
    one_task_each(here, "ab")


@pytest.mark.parametrize("is_created", [True, False])
def test_an_open_attempt_is_decided_as_the_plan_says(here: InProcess, is_created: bool) -> None:
    """Another user, who sees the shared task, decides."""
    here.sandbox.write(of("a"))
    here.server.set_rules(Rule("create", Fault("reset", committed=is_created)), DOWN)
    assert here.run("apply").results() == {"a": "unresolved"}
    here.server.set_rules()
    here.server.habits.references = "stripped"
    here.server.habits.tokens["pul-" + "f" * 40] = "other"
    for task in here.server.world.tasks:
        task.shown["isShared"] = True
        task.events[1]["eventBody"]["content"] = "do a"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULUMI_ACCESS_TOKEN", "pul-" + "f" * 40)
        (task,) = here.run("apply").document["tasks"]
        text = json.dumps(task)
        assert "taskctl state assign acme/a TASK_ID" in text
        assert "taskctl state close acme/a" in text
        if is_created:
            (made,) = here.server.tasks_by_work()["do a"]
            assert here.run_state("assign", "a", made).code == 0
        else:
            assert here.run_state("close", "a").code == 0
        here.server.habits.references = "kept"
        one_task_each(here, "a")


@pytest.mark.parametrize(("key", "user"), [("one", "me"), ("two", "other")])
def test_a_task_that_blocks_is_recorded_as_the_plan_says(
    here: InProcess, key: str, user: str
) -> None:
    """A prompt that was copied to another organization, which has the same keys, or forged."""
    acme, beta = as_tasks({"one": "do 1"}), as_tasks({"one": "beta 1", "two": "beta 2"})
    here.sandbox.write(acme)
    assert here.run("apply").code == 0
    line = f"Taskctl-Task: {key}/1 {here.sandbox.state()['provenance']['ids'][0]}"
    body = {"message": {"content": f"beta.\n\n{line}"}}
    made = here.server.world.create(user, "beta", body)["taskId"]
    here.server.world.by_id[made].shown["isShared"] = True
    here.sandbox.write(acme | as_tasks({"two": "do 2"}))
    here.sandbox.write(beta, "beta", orgName="beta")
    ended = here.run("apply")
    (blocked,) = [d for d in ended.document["diagnostics"] if d["code"] == "TC748"]
    (assign,) = [line for line in blocked["detail"].splitlines() if "state assign" in line]
    assert here.run_words(shlex.split(assign)[1:]).code == 0
    ended = here.run("apply")
    assert (ended.code, set(ended.results().values())) == (0, {"created"}), ended.stdout
    assert here.sandbox.state()["tasks"][f"beta/{key}"]["taskId"] == made
    assert len(here.server.world.tasks) == 4


@pytest.mark.parametrize("edit", ["rm", "mv"])
def test_an_edit_that_an_open_attempt_prevents_is_followed(here: InProcess, edit: str) -> None:
    here.sandbox.write(of("a"))
    here.server.set_rules(Rule("create", Fault("reset")), DOWN)
    assert here.run("apply").results() == {"a": "unresolved"}
    here.server.set_rules()
    words = ("rm", "a") if edit == "rm" else ("mv", "a", "dev/a")
    ended = here.run_state(*words)
    assert ended.code == 1
    (_, close) = commands(ended)
    assert close[:3] == ["taskctl", "state", "close"]
    follow(here, [close])
    one_task_each(here, "a")


def copy_of(here: InProcess) -> dict[str, Any]:
    """A copy of the state that can be pushed."""
    copy: dict[str, Any] = here.run_state("pull").document["state"]
    copy["serial"] += 1
    return copy


def push(here: InProcess, copy: dict[str, Any]) -> Ended:
    (here.sandbox.folder / "copy.json").write_text(json.dumps(copy))
    return here.run_state("push", "copy.json")


def test_a_record_is_removed_from_a_copy_as_the_error_says(two_applies: InProcess) -> None:
    here = two_applies
    copy = copy_of(here)
    del copy["tasks"]["acme/a"]
    ended = push(here, copy)
    assert (ended.code, ended.document["diagnostics"][0]["code"]) == (1, "TC618")
    rm, pull = [words for words in commands(ended) if words[1] == "state"]
    assert (rm[:4], pull[:3]) == (["taskctl", "state", "rm", "KEY"], ["taskctl", "state", "pull"])
    assert here.run_state("rm", "a").code == 0
    assert push(here, copy).code == 1  # the copy is older than the removal
    assert push(here, copy_of(here)).code == 0
    here.sandbox.write(of("b", edited="b"))
    assert here.run("apply").code == 0
    assert list(here.sandbox.recorded()) == ["b"]
    assert len(here.server.posts) == 2


def test_every_command_about_states_exists() -> None:
    """No message names a command or an option that is gone."""
    folder = Path(__file__).resolve().parents[2] / "reconciler/messages"
    texts = "".join(path.read_text() for path in sorted(folder.glob("*.md")))
    gone = r"--adopt\b|state resolve|--not-created|`adopt: false`|look-alike"
    assert not re.findall(gone, texts)
