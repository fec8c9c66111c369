"""`taskctl import --from`: the tasks of a Pulumi program or stack."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.acceptance.test_import import created, unchanged
from tests.support.live_tasks import LiveTasks

PROGRAM = """\
name: agents
runtime: yaml
variables:
  who: me
resources:
  bucket:
    type: aws:s3:Bucket
  Rotate Keys:
    type: pulumiservice:api/agents:Task
    options: {protect: true}
    properties:
      orgName: acme
      message:
        content: |
          finishing the keys, all of $${ACCOUNT}
        timestamp: 2026-01-01T00:00:00Z
        entityDiff:
          add: [{type: stack, name: prod, project: net}]
      approvalMode: auto
      enabledIntegrations: []
  plain:
    type: pulumiservice:api/agents:Task
    properties: {orgName: acme, message: finishing the plain one, planMode: true}
  computed:
    type: pulumiservice:api/agents:Task
    properties:
      orgName: acme
      message: finishing ${bucket.id}
      planMode: {fn::invoke: {function: x}}
  newer:
    type: pulumiservice:api/agents:Task
    properties: {orgName: acme, message: finishing it, temperature: 3, approvalMode: Auto}
  read:
    type: pulumiservice:api/agents:Task
    get: {id: 4f1c}
"""

TOLD = [
    ':10:5: warning: resources["Rotate Keys"].options: protect: ',
    ':16:9: warning: resources["Rotate Keys"].properties.message.timestamp: ',
    ":28:16: error: resources.computed.properties.message: an expression",
    ':29:18: error: resources.computed.properties.planMode["fn::invoke"]: "fn::invoke" computes',
    ":32:56: error: resources.newer.properties.temperature: not an input",
    ":32:86: error: resources.newer.properties.approvalMode: must be manual, auto or balanced",
    ":35:5: error: resources.read.get: reads an existing task",
]


@pytest.fixture
def place(place: LiveTasks, tmp_path: Path) -> LiveTasks:
    (tmp_path / "tasks").mkdir()
    return place


def test_a_program_becomes_a_manifest_and_the_rest_is_listed(place: LiveTasks) -> None:
    (place.folder / "Pulumi.yaml").write_text(PROGRAM)
    code, out, err = place.run("import", "--from", "Pulumi.yaml", "--write", "tasks/a.yaml")
    assert code == 1
    problems = [line for line in err.splitlines() if line.startswith("Pulumi.yaml:")]
    assert len(problems) == len(TOLD), err
    for line, start in zip(problems, TOLD, strict=True):
        assert line.startswith(f"Pulumi.yaml{start}"), line
    assert "2 written to tasks/a.yaml without a known task, 3 failed" in out
    assert "may have started agents" in err
    found = {number: line.rpartition("[")[2].rstrip("]") for number, line in enumerate(problems)}
    assert [found[n] for n in (0, 2, 3, 6)] == ["TC849", "TC848", "TC848", "TC847"]
    assert "[TC845]" in err
    made = YAML(typ="safe").load(place.folder / "tasks/a.yaml")
    assert made["orgName"] == "acme"
    assert made["tasks"] == {
        "rotate-keys": {
            "message": {
                "content": "finishing the keys, all of ${ACCOUNT}\n",
                "entity_diff": {"add": [{"type": "stack", "name": "prod", "project": "net"}]},
            },
            "approvalMode": "auto",
            "enabledIntegrations": [],
        },
        "plain": {"message": "finishing the plain one", "planMode": True},
    }


def test_tasks_started_by_pulumi_are_found_and_a_second_import_adds_nothing(
    place: LiveTasks,
) -> None:
    (place.folder / "Pulumi.yaml").write_text(PROGRAM)
    existing = created(place.api, "finishing the plain one", planMode=True)
    arguments = ("--from", "Pulumi.yaml", "--write", "tasks/a.yaml")
    assert place.run("import", *arguments)[0] == 1
    before = (place.folder / "tasks/a.yaml").read_bytes()
    tasks = {task["key"]: task for task in place.document("plan")["tasks"]}
    assert (tasks["plain"]["action"], tasks["plain"]["taskId"]) == ("unchanged", existing)
    assert tasks["rotate-keys"]["action"] == "create"
    document = place.document("import", *arguments)
    assert document["summary"] == {"imported": 0, "written": 0, "skipped": 2, "failed": 3}
    assert (place.folder / "tasks/a.yaml").read_bytes() == before


def stack(*resources: dict[str, Any], pending: tuple[dict[str, Any], ...] = ()) -> str:
    kind = "pulumiservice:api/agents:Task"
    made = [
        {"urn": f"urn:pulumi:prod::p::{kind}::{r.pop('name')}", "type": kind, "custom": True, **r}
        for r in (*resources, *pending)
    ]
    others = [{"urn": "urn:pulumi:prod::p::pulumi:pulumi:Stack::p-prod", "type": "x"}]
    operations = [{"type": "creating", "resource": r} for r in made[len(resources) :]]
    deployment = {"resources": [*others, *made[: len(resources)]], "pending_operations": operations}
    return json.dumps({"version": 3, "deployment": deployment}, indent=4)


SECRET = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "AAABAKc1phertext",
}


def test_resources_that_share_an_id_are_reported(place: LiveTasks) -> None:
    known = created(place.api, "finishing it")
    inputs = {"orgName": "acme", "message": {"content": "finishing it", "type": "user_message"}}
    names = ("one", "two", "three")
    text = stack(*({"name": name, "id": known, "inputs": dict(inputs)} for name in names))
    (place.folder / "stack.json").write_text(text)
    arguments = ("--from", "stack.json", "--org", "acme", "--write", "tasks/a.yaml")
    document = place.document("import", *arguments)
    assert [task["key"] for task in document["tasks"]] == ["one"]
    told = [d for d in document["diagnostics"] if d["code"] == "TC849"]
    assert len(told) == 2
    assert all(d["severity"] == "warning" and d["line"] for d in told)


def test_a_stack_with_ids_gives_records(place: LiveTasks) -> None:
    known = created(place.api, "finishing the known one", approvalMode="auto")
    inputs = {"orgName": "acme", "message": {"content": "finishing it", "type": "user_message"}}
    text = stack(
        {
            "name": "known",
            "id": f"acme/{known}",
            "inputs": {"orgName": "acme", "message": SECRET, "enabledIntegrations": []},
        },
        {"name": "lost", "inputs": inputs},
        {"name": "hidden", "inputs": {**inputs, "message": {"content": SECRET}}},
        {"name": "stale", "id": "nowhere", "inputs": inputs},
        {"name": "leaving", "id": known, "inputs": inputs, "delete": True},
        pending=({"name": "begun", "inputs": {"orgName": "acme", "message": "finishing too"}},),
    )
    (place.folder / "stack.json").write_text(text)
    arguments = ("--from", "stack.json", "--org", "acme", "--write", "tasks/a.yaml")
    code, out, err = place.run("import", *arguments)
    assert code == 1
    assert "AAABA" not in out + err
    assert "inputs.message: a secret or special value of the stack; left out" in err
    assert "inputs.message.content: a secret of the stack" in err
    assert "stale: no task nowhere, or this token cannot see it" in err
    assert '"begun": the outcome of a pending creating is unknown' in err
    assert '"leaving" is about to be deleted' in err
    made = YAML(typ="safe").load(place.folder / "tasks/a.yaml")["tasks"]
    assert made == {
        "known": {
            "taskID": known,
            "message": "finishing the known one",
            "approvalMode": "auto",
            "enabledIntegrations": [],
        },
        "lost": {"message": "finishing it"},
        "begun": {"message": "finishing too"},
    }
    assert "before you apply" in err  # `pulumi up` may have started agents
    actions = {task["key"]: task["action"] for task in place.document("plan")["tasks"]}
    assert actions == {"known": "unchanged", "lost": "create", "begun": "create"}


def test_a_stack_without_unknown_tasks_leaves_nothing_to_do(place: LiveTasks) -> None:
    known = created(place.api, "finishing the known one")
    (place.folder / "stack.json").write_text(stack({"name": "One", "id": known, "inputs": {}}))
    arguments = ("--from", "stack.json", "--org", "acme", "--write", "tasks/a.yaml")
    assert place.run("import", *arguments)[0] == 0
    unchanged(place)
    assert "1 skipped." in place.run("import", *arguments)[1]


def test_surrogate_pairs_are_decoded(place: LiveTasks) -> None:
    text = "finishing \U0001f680 \\\\ud83d\\ude80 it"
    inputs = {"orgName": "acme", "message": text}
    (place.folder / "stack.json").write_text(stack({"name": "One", "inputs": inputs}))
    assert "\\ud83d" in (place.folder / "stack.json").read_text()
    arguments = ("--from", "stack.json", "--write", "tasks/a.yaml")
    assert place.run("import", *arguments)[0] == 0
    made = YAML(typ="safe").load(place.folder / "tasks/a.yaml")
    assert made["tasks"]["one"]["message"] == text


@pytest.mark.parametrize(("declared", "warned"), [("finishing a", False), ("finishing b", True)])
def test_another_prompt_than_that_of_the_task_is_a_warning(
    place: LiveTasks, declared: str, warned: bool
) -> None:
    """The provider starts a second agent when a prompt changes, and does not record it."""
    task_id = created(place.api, "finishing a")
    resource = {"name": "a", "inputs": {"message": declared}, "outputs": {"taskID": task_id}}
    (place.folder / "stack.json").write_text(stack(resource))
    arguments = ("--from", "stack.json", "--write", "tasks/a.yaml", "--org", "acme")
    code, _, err = place.run("import", *arguments)
    assert code == 0, err
    assert ("[TC850]" in err) is warned
    lines = [row for row in err.splitlines() if "taskctl import --mine --since 20" in row]
    assert [" --org acme" in line for line in lines] == [True] * warned


def test_a_stack_is_read_from_stdin(place: LiveTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    text = stack({"name": "One", "inputs": {"orgName": "acme", "message": SECRET}})
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, err = place.run("import", "--from", "-", "--dry-run")
    assert (code, out) == (1, "")
    assert "<stdin>:15:32: error: " in err
    assert "AAABA" not in err


def test_the_resource_option_import_gives_the_task_id(place: LiveTasks) -> None:
    known = created(place.api, "finishing the known one")
    (place.folder / "Pulumi.yaml").write_text(
        "resources:\n  one:\n    type: pulumiservice:api/agents:Task\n"
        f"    options: {{import: {known}}}\n    properties: {{orgName: acme, message: other}}\n"
        "components: {a: {resources: {}}}\n"
    )
    arguments = ("--from", "Pulumi.yaml", "--org", "acme", "--write", "tasks/a.yaml")
    code, _, err = place.run("import", *arguments)
    assert code == 0, err
    unchanged(place)
    made = YAML(typ="safe").load(place.folder / "tasks/a.yaml")
    assert made["tasks"]["one"]["taskID"] == known


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("a: b\n", "TC847"),
        ("- a\n", "TC847"),
        ("resources: [\n", "TC105"),
        ("{}", "TC847"),
        ("", "TC113"),
    ],
)
def test_other_files_are_an_error(place: LiveTasks, text: str, reported: str) -> None:
    (place.folder / "x.yaml").write_text(text)
    code, _, err = place.run("import", "--from", "x.yaml", "--write", "tasks/a.yaml")
    assert code == 1
    assert "x.yaml:" in err
    assert f"[{reported}]" in err
    assert not list((place.folder / "tasks").iterdir())


def test_ten_tasks_of_pulumi_two_of_them_with_one_prompt(place: LiveTasks) -> None:
    """`taskID` is written where exactly one task has the prompt: no second agent for these."""
    prompts = [*(f"finishing {n}" for n in range(8)), "finishing twice", "finishing twice"]
    made = [created(place.api, prompt) for prompt in prompts]
    resources = [
        {"name": f"t{n}", "inputs": {"orgName": "acme", "message": {"content": prompt}}}
        for n, prompt in enumerate(prompts)
    ]
    (place.folder / "stack.json").write_text(stack(*resources))
    arguments = ("--from", "stack.json", "--org", "acme", "--write", "tasks/a.yaml")
    _, _, err = place.run("import", *arguments)
    written = YAML(typ="safe").load(place.folder / "tasks/a.yaml")["tasks"]
    assert {key: task.get("taskID") for key, task in written.items()} == {
        **{f"t{n}": made[n] for n in range(8)},
        "t8": None,
        "t9": None,
    }
    assert "t8, t9: no task is known" in err
    code, _, err = place.run("plan")  # one of the two has to go, or get its `taskID`
    assert (code, "tasks.t9: identical to `t8`" in err) == (1, True)
