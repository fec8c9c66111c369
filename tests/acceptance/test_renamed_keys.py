"""Keys that were renamed without saying so: unresolved, never a second task."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.crash.test_lost_identity import DOWN, LOST, set_rules, tasks_of
from tests.support.fault_server import Rule
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks
from tests.support.skipped_time import stopped_time

PATHS = {
    "the path of the new file": ["tasks/new.yaml"],
    "a target": ["--target", "new"],
    "a glob": ["--target", "n*"],
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


@pytest.mark.parametrize("text", ["do  it", "do\nit"])
def test_a_renamed_key_whose_prompt_is_wrapped_anew_is_unresolved(
    here: InProcess, text: str
) -> None:
    here.sandbox.write(as_tasks({"old": "do it", "other": "do more"}))
    here.run("apply")
    here.sandbox.write(as_tasks({"new": text, "other": "do more"}))
    assert here.run("apply").results() == {"new": "unresolved"}
    here.sandbox.write(as_tasks({"new": "do i t", "other": "do more"}))
    assert here.run("apply").results() == {"new": "created"}


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
    planned = {task["key"]: task for task in here.run("plan").document["tasks"]}
    assert "renamed to audit@Alpha" in planned["audit@alpha"]["note"]
    results: dict[str, Any] = here.run("apply").results()
    assert results == {"audit@Alpha": "unresolved"}
    assert len(tasks_of(here)) == 2
    (hint,) = planned["audit@Alpha"]["hints"]
    assert "movedFrom" not in hint["text"]  # it would be that of all rows
    (move, remove) = hint["commands"]
    assert remove.startswith("taskctl state rm acme/audit@alpha")
    assert here.run_words([*shlex.split(move)[1:], "--yes"]).code == 0
    assert here.run("apply").document["tasks"] == []


def renamed(here: InProcess) -> None:
    """The entry `audit` is `check` now, and `k0` is `first`."""
    path = here.sandbox.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest["tasks"]["check"] = manifest["tasks"].pop("audit")
    manifest["tasks"]["first"] = manifest["tasks"].pop("single")
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize("way", ["movedFrom", "state mv"])
def test_a_renamed_entry_is_one_diagnostic_with_what_works(here: InProcess, way: str) -> None:
    generated(here, ["alpha", "beta", "gamma"])
    path = here.sandbox.folder / "tasks" / "all.yaml"
    manifest = json.loads(path.read_text())
    manifest["tasks"] |= {"single": {"message": "do one"}}
    path.write_text(json.dumps(manifest))
    here.run("apply")
    renamed(here)
    plan = here.run("plan").document
    hints = {task["key"]: task.get("hints", []) for task in plan["tasks"]}
    for key in ("audit@alpha", "single"):
        assert hints[key] == []  # nothing offers to cancel what was perhaps renamed
    (hint,) = hints["check@alpha"]
    assert hints["check@beta"] == hints["check@gamma"] == [hint]
    line = 'movedFrom: "audit@{{ row.name }}"'
    assert f"`{line}`" in hint["text"]
    (command,) = (each.partition(" --backend ")[0] for each in hint["commands"])
    assert command == "taskctl state mv 'acme/audit@*' 'acme/check@*'"
    annotations = here.run("plan", "--format", "github").stdout
    assert annotations.count("::warning") == 2, annotations
    assert "check@alpha and 2 more" in annotations
    if way == "movedFrom":
        renamed_again = yaml_value(line)
        manifest = json.loads(path.read_text())
        manifest["tasks"]["check"]["movedFrom"] = renamed_again
        manifest["tasks"]["first"]["movedFrom"] = "single"
        path.write_text(json.dumps(manifest))
        assert set(here.run("apply").results().values()) == {"moved"}
    else:
        assert here.run_state("mv", "acme/audit@*", "acme/check@*", "-y").code == 0
        assert here.run_state("mv", "acme/single", "acme/first").code == 0
    assert here.run("plan").document["hasChanges"] is False
    assert len(tasks_of(here)) == 4


def yaml_value(line: str) -> str:
    value: str = YAML(typ="safe").load(line)["movedFrom"]
    return value


def test_a_lost_task_is_created_again_under_the_new_key_only(here: InProcess) -> None:
    here.sandbox.write(as_tasks({"old": "do 0", "k1": "do 1"}))
    assert here.run("apply").code == 0
    with stopped_time() as time:
        time.seconds += 60
    here.server.world.by_id[here.sandbox.recorded()["old"]].user = "nobody"
    moved = as_tasks({"new": "do 0", "k1": "do 1"})
    moved["new"]["movedFrom"] = "old"
    here.sandbox.write(moved)
    ended = here.run("apply", "--allow-recreate")
    assert ended.results() == {"new": "created"}, ended.stdout
    assert set(here.sandbox.recorded()) == {"new", "k1"}


def test_a_row_that_replaces_another_may_have_its_record(here: InProcess) -> None:
    """Its prompt contains its value, so it differs: apply does not wait for an answer."""

    def hints(rows: list[str]) -> str:
        generated(here, rows)
        planned = {task["key"]: task for task in here.run("plan").document["tasks"]}
        assert planned["audit@alpha"]["action"] == "orphaned"
        return json.dumps(planned["audit@alpha"]["hints"])

    generated(here, ["alpha", "beta"])
    here.run("apply")
    for rows in (["beta"], ["beta", "gamma", "delta"]):
        assert "state mv" not in hints(rows)
    assert "taskctl state mv acme/audit@alpha acme/audit@gamma" in hints(["beta", "gamma"])
    assert "state mv" not in hints(["delta", "gamma"])
    hint = hints(["beta", "gamma"])
    (move,) = (line for each in json.loads(hint) for line in each["commands"] if " mv " in line)
    assert here.run_words([*shlex.split(move)[1:], "--yes"]).code == 0
    assert set(here.run("plan").actions().values()) == {"unchanged", "changed"}
    assert len(tasks_of(here)) == 2


@pytest.mark.parametrize("has", ["a record", "an attempt"])
def test_a_row_that_has_its_own_task_gets_no_other_record(here: InProcess, has: str) -> None:
    """`movedFrom` names its record, or an attempt may have created its task."""
    rows = {"forEach": {"row": ["alpha", "beta"]}, "message": "do {{ row }}"}
    single = as_tasks({"check-gamma": "do gamma"})
    here.sandbox.write({"audit": rows, **(single if has == "a record" else {})})
    assert here.run("apply").code == 0
    rows["forEach"] = {"row": ["beta", "gamma"]}
    if has == "a record":
        rows["movedFrom"] = "check-{{ row }}"
    here.sandbox.write({"audit": rows})
    if has == "an attempt":
        set_rules(here, Rule("create", LOST, contains="do gamma"), Rule("events", DOWN))
        assert here.run("apply").results() == {"audit@gamma": "unresolved"}
    ended = here.run("plan")
    actions = ended.actions()
    assert actions["audit@alpha"] == "orphaned"
    assert actions["audit@gamma"] == ("move" if has == "a record" else "unresolved")
    assert "state mv" not in ended.stdout
