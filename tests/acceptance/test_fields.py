"""Every setting of `model/fields.py`, from the manifest to the service and back.

New rows are tested without changes here: the values are the choices of the row, or the examples in
the schema of manifests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler.cli import main
from reconciler.model.fields import BY_NAME, COMPARED, DRIFTING, FIELDS, Field
from tests.support.in_process import InProcess
from tests.support.references import without_reference
from tests.support.remark_cases import commands_of
from tests.support.sandbox import STATE

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/manifest.schema.json").read_text())
TEXT = "do it"
SETTINGS = [field for field in FIELDS if field.name != "message"]
WITH_DEFAULT = [field for field in FIELDS if field.patched and field.default not in (None, "")]

fields = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)


def values(field: Field) -> tuple[Any, Any]:
    """Two values, neither of which is the service's default if there are enough."""
    schema = SCHEMA["definitions"][field.name]
    if field.choices:
        assert [one for one in schema["enum"] if one is not None] == list(field.choices)
        found = [one for one in field.choices if one != field.default] or list(field.choices)
        return found[0], (found + [c for c in field.choices if c != found[0]])[1]
    if "boolean" in schema["type"]:
        return True, False
    first, *others = schema["examples"]
    return first, others[0] if others else f"{first}-2"


def write(here: InProcess, field: Field, value: Any) -> None:
    here.sandbox.write({"a": {"message": TEXT, field.name: value}})


def apply(here: InProcess, *more: str) -> dict[str, Any]:
    done = here.run("apply", *more)
    assert done.code == 0, done.stderr
    return done.document


def shown(here: InProcess) -> dict[str, Any]:
    """The task as the service shows it."""
    (task,) = here.server.world.tasks
    return task.shown


def sent(here: InProcess, endpoint: str) -> dict[str, Any]:
    """The body of the only request of its kind."""
    (call,) = here.server.of(endpoint)
    found: dict[str, Any] = json.loads(call.body)
    return found


@fields
def test_apply_sends_the_value_of_the_manifest(here: InProcess, field: Field) -> None:
    value = values(field)[0]
    write(here, field, value)
    (planned,) = here.run("plan").document["tasks"]
    assert planned["action"] == "create"
    apply(here)
    if field.name == "message":
        assert without_reference(sent(here, "create")["message"]["content"]) == value
    elif field.sent:
        assert sent(here, "create")[field.name] == value
        assert here.server.of("patch") == []
    else:
        assert field.name not in sent(here, "create")
        assert sent(here, "patch") == {field.name: value}
    assert apply(here)["tasks"] == []
    assert len(here.server.posts) == 1


@pytest.mark.parametrize("field", SETTINGS, ids=lambda field: field.name)
def test_null_is_the_default_of_the_service_and_is_never_sent(
    here: InProcess, field: Field
) -> None:
    write(here, field, None)
    apply(here)
    assert field.name not in sent(here, "create")
    assert here.server.of("patch") == []


@fields
def test_an_edit_is_a_change_and_update_patches_what_can_be_patched(
    here: InProcess, field: Field
) -> None:
    first, second = values(field)
    write(here, field, first)
    apply(here)
    write(here, field, second)
    (task,) = here.run("plan").document["tasks"]
    assert task["action"] == "changed"
    assert {change["inPlace"] for change in task["diff"]} == {field.patched}
    before = len(here.server.of("patch"))
    apply(here, "--update")
    patches = [json.loads(call.body) for call in here.server.of("patch")[before:]]
    assert patches == ([{field.name: second}] if field.patched else [])
    (task,) = here.run("plan").document["tasks"]
    assert task["action"] == ("unchanged" if field.patched else "changed")


@fields
def test_a_remote_change_of_a_compared_field_is_shown(here: InProcess, field: Field) -> None:
    first, second = values(field)
    write(here, field, first)
    apply(here)
    shown(here)[field.name] = second
    (task,) = here.run("plan").document["tasks"]
    is_compared = field.name in COMPARED
    assert task["action"] == ("changed" if is_compared else "unchanged")
    if is_compared:
        change = {"path": field.name, "before": second, "after": first, "origin": "remote"}
        assert task["diff"] == [change | {"inPlace": field.patched}]


@pytest.mark.parametrize("field", DRIFTING)
def test_a_fixed_setting_that_drifts_is_accepted_or_needs_a_new_task(
    here: InProcess, field: str
) -> None:
    first, second = values(BY_NAME[field])
    write(here, BY_NAME[field], first)
    apply(here)
    here.finish()
    shown(here)[field] = second
    (task,) = here.run("plan").document["tasks"]
    replace = f"taskctl apply --replace acme/a={task['taskId']}"
    assert commands_of(task) == ["taskctl state accept acme/a", replace]
    assert apply(here, "--update")["tasks"] == []
    planned = here.run("plan", "--replace", f"acme/a={task['taskId']}")
    assert planned.document["summary"]["replace"] == 1
    assert here.run_state("accept", "acme/a").document["edits"][0]["changed"]
    assert here.run("plan").document["tasks"][0]["action"] == "unchanged"
    assert not here.run_state("accept", "acme/a").document["edits"][0]["changed"]
    write(here, BY_NAME[field], second)
    (task,) = here.run("plan").document["tasks"]
    assert [change["origin"] for change in task["diff"]] == ["manifest"]


@pytest.mark.parametrize("field", DRIFTING)
def test_an_edit_of_a_fixed_setting_is_accepted(here: InProcess, field: str) -> None:
    """The service still returns the value that the task was created with."""
    first, second = values(BY_NAME[field])
    write(here, BY_NAME[field], first)
    apply(here)
    shown(here)[field] = first
    write(here, BY_NAME[field], second)
    (task,) = here.run("plan").document["tasks"]
    assert [change["origin"] for change in task["diff"]] == ["manifest"]
    assert here.run_state("accept", "acme/a").code == 0
    assert here.run("plan").document["tasks"][0]["action"] == "unchanged"


@pytest.mark.parametrize("field", WITH_DEFAULT, ids=lambda field: field.name)
def test_a_default_of_the_service_is_not_a_change(here: InProcess, field: Field) -> None:
    write(here, field, field.default)
    apply(here)
    shown(here).pop(field.name, None)
    (task,) = here.run("plan").document["tasks"]
    assert task["action"] == "unchanged"


@fields
def test_the_inputs_of_a_task_of_a_lost_state_are_those_that_the_service_shows(
    here: InProcess, field: Field
) -> None:
    """What the service does not return is taken from the manifest."""
    first, second = values(field)
    write(here, field, first)
    apply(here)
    (lost,) = here.sandbox.state()["provenance"]["ids"]
    for path in here.sandbox.folder.glob(f"{STATE}*"):
        path.unlink()
    write(here, field, second)
    ended = here.run_state("init", "--continue", lost, "-y")
    assert [task["key"] for task in ended.document["tasks"]] == ["a"]
    (task,) = here.run("plan").document["tasks"]
    is_shown = field.returned or field.name == "message"
    assert task["action"] == ("changed" if is_shown else "unchanged")
    assert len(here.server.posts) == 1


@fields
def test_import_writes_values_other_than_the_default(here: InProcess, field: Field) -> None:
    value = values(field)[0]
    write(here, field, value)
    apply(here)
    task_id = here.sandbox.recorded()["a"]
    (here.sandbox.folder / "tasks/all.yaml").unlink()
    for path in here.sandbox.folder.glob("taskctl.state.json*"):
        path.unlink()
    if not field.returned:
        shown(here).pop(field.name, None)
    where = ["--write", "tasks/imported.yaml", "--backend", here.server.url]
    assert main.run(["import", task_id, *where]) == 0
    written = YAML(typ="safe").load(here.sandbox.folder / "tasks/imported.yaml")
    (task,) = written["tasks"].values()
    assert (field.name in task) == (field.returned or field.name == "message")
    if field.name in task:
        assert task[field.name] == value
