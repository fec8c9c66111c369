"""The name of an entry selects all of its tasks."""

from __future__ import annotations

import pytest

from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

ENTRY = {"forEach": {"row": ["a", "b"]}, "message": "upgrade {{ row }}"}
ROWS = {"up@a", "up@b"}


@pytest.fixture
def applied(here: InProcess) -> InProcess:
    here.sandbox.write({"up": ENTRY, **as_tasks({"other": "do it", "up2": "do more"})})
    assert here.run("apply", "--target", "up").results() == dict.fromkeys(ROWS, "created")
    assert here.run("apply").results() == dict.fromkeys(("other", "up2"), "created")
    return here


def keys(here: InProcess, *words: str) -> set[str]:
    ended = here.run(words[0], *words[1:])
    return {task["key"] for task in ended.document["tasks"]}


@pytest.mark.parametrize("name", ["up", "acme/up"])
def test_an_entry_selects_its_tasks(applied: InProcess, name: str) -> None:
    for words in (("plan", "--target", name), ("status", name), ("results", name)):
        assert keys(applied, *words) == ROWS, words


def test_a_key_takes_precedence_over_an_entry_and_both_over_a_path(applied: InProcess) -> None:
    for name in ("other", "up"):
        folder = applied.sandbox.folder / name
        folder.mkdir()
    assert keys(applied, "status", "up") == ROWS
    assert keys(applied, "status", "other") == {"other"}
    assert keys(applied, "status", "tasks") == {*ROWS, "other", "up2"}


@pytest.mark.parametrize("words", [("say", "stop"), ("cancel",)])
def test_the_tasks_of_an_entry_are_answered(applied: InProcess, words: tuple[str, ...]) -> None:
    """The server refuses each of the answers."""
    ended = applied.run(words[0], "up", *words[1:], "-y", "--format", "json")
    assert {problem["key"] for problem in ended.document["diagnostics"]} == ROWS, ended


def test_each_task_of_an_entry_or_a_glob_is_shown(applied: InProcess) -> None:
    for name in ("up", "acme/up@*"):
        assert keys(applied, "show", name) == ROWS
        assert applied.run("show", name, "--format", "text").stdout.count("at the service:") == 2


@pytest.mark.parametrize("words", [("status",), ("show",), ("cancel", "-y")])
def test_another_wildcard_than_the_star_is_explained(
    applied: InProcess, words: tuple[str, ...]
) -> None:
    ended = applied.run(*words, "up?", "--format", "text")
    assert ended.code == 1
    assert "`*`, for any text, is the only wildcard" in ended.stderr


@pytest.mark.parametrize("name", ["up", "acme/up"])
def test_an_entry_stands_for_its_keys_where_tasks_are_created_again(
    applied: InProcess, name: str
) -> None:
    applied.finish()
    edited = {"up": {**ENTRY, "message": "upgrade all of {{ row }}"}}
    applied.sandbox.write({**edited, **as_tasks({"other": "do it anew", "up2": "do more"})})
    plan = applied.run("plan", "--replace", name)
    assert {key for key, action in plan.actions().items() if action == "replace"} == ROWS
    assert applied.run("plan", "--retry", name).code == 0
    gone = [applied.sandbox.recorded()[key] for key in (*ROWS, "other")]
    applied.server.world.tasks = [t for t in applied.server.world.tasks if t.id not in gone]
    for task_id in gone:
        applied.server.world.by_id.pop(task_id)
    applied.server.habits.clock_offset = 15.0
    for again in (name, f"{name}@*"):
        tasks = applied.run("plan", f"--allow-recreate={again}").document["tasks"]
        assert {t["key"] for t in tasks if t["reason"] == "recreate"} == ROWS, again


def test_an_entry_is_renamed_with_its_tasks(applied: InProcess) -> None:
    before = applied.sandbox.recorded()
    assert applied.run_state("mv", "up", "upgrade", "-y").code == 0
    after = applied.sandbox.recorded()
    assert {after[f"upgrade@{row}"] for row in "ab"} == {before[key] for key in ROWS}


def test_an_entry_is_marked_as_applied(applied: InProcess) -> None:
    edited = {"up": {**ENTRY, "message": "upgrade all of {{ row }}"}}
    applied.sandbox.write({**edited, **as_tasks({"other": "do it", "up2": "do more"})})
    ended = applied.run_state("accept", "up", "-y")
    assert {edit["key"] for edit in ended.document["edits"] if edit["changed"]} == ROWS
