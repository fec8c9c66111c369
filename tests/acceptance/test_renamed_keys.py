"""Keys that were renamed without saying so: unresolved, never a second task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.crash.test_lost_identity import DOWN, LOST, set_rules, tasks_of
from tests.support.fault_server import Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks

PATHS = {
    "the path of the new file": ["tasks/new.yaml"],
    "a target": ["--target", "new"],
    "an exclusion": ["--exclude", "k0"],
    "all manifests": [],
}


@pytest.mark.parametrize("words", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("attempted", [False, True], ids=["recorded", "attempted"])
def test_a_key_that_was_renamed_and_moved_is_unresolved(
    here: InProcess, words: list[str], *, attempted: bool
) -> None:
    (here.sandbox.folder / "tasks" / "all.yaml").unlink()
    here.sandbox.write(as_tasks({"k0": "do 0"}), "other")
    here.sandbox.write(as_tasks({"old": "do it"}), "old")
    if attempted:
        set_rules(here, Rule("create", LOST, contains="do it"), Rule("events", DOWN))
    here.run("apply")
    set_rules(here, *([Rule("events", DOWN)] if attempted else []))
    here.sandbox.write({}, "old")
    here.sandbox.write(as_tasks({"new": "do it"}), "new")
    ended = here.run("apply", *words)
    assert ended.results()["new"] == "unresolved", ended.stdout
    assert len(tasks_of(here)) == 2


def generated(here: InProcess, rows: list[str]) -> None:
    (here.sandbox.folder / "rows.csv").write_text("\n".join(["name", *rows]) + "\n")
    entry = {"forEach": {"row": {"file": "../rows.csv"}}, "message": "do {{ row.name }}"}
    manifest = {"version": 1, "orgName": "acme", "tasks": {"audit": entry}}
    (here.sandbox.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))


def test_a_row_that_changes_its_case_is_unresolved(here: InProcess) -> None:
    generated(here, ["alpha", "beta"])
    ended = here.run("apply")
    assert set(ended.results().values()) == {"created"}, ended.stdout + ended.stderr
    generated(here, ["Alpha", "beta"])
    results: dict[str, Any] = here.run("apply").results()
    assert results == {"audit@Alpha": "unresolved"}
    assert len(tasks_of(here)) == 2
