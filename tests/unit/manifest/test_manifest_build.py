"""Desired tasks: defaults, nulls, the object form of a message, organizations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.model.task import DesiredTask
from tests.support.manifest_cases import lines, loaded


def tasks(text: str, folder: Path) -> dict[str, DesiredTask]:
    manifests = loaded("version: 1\n" + text, folder)
    assert [d for d in lines(manifests) if ": error: " in d] == []
    return {task.key: task for task in manifests.tasks}


def inputs(text: str, folder: Path) -> dict[str, dict[str, Any]]:
    return {key: dict(task.inputs) for key, task in tasks(text, folder).items()}


def test_defaults_apply_to_unset_properties(tmp_path: Path) -> None:
    made = inputs(
        """\
defaults:
  approvalMode: auto
  planMode: true
  source: null
  enabledIntegrations: [{id: datadog}, {id: pagerduty}]
  cliIntegrations: [{catalogId: aws, name: prod}]
tasks:
  silent: {message: a}
  speaking: {message: b, planMode: false, enabledIntegrations: [{id: x}], source: api}
  nothing: {message: c, planMode: null, enabledIntegrations: [], cliIntegrations: null}
""",
        tmp_path,
    )
    clis = [{"catalogId": "aws", "name": "prod"}]
    assert made == {
        "silent": {
            "message": {"content": "a"},
            "approvalMode": "auto",
            "planMode": True,
            "enabledIntegrations": [{"id": "datadog"}, {"id": "pagerduty"}],
            "cliIntegrations": clis,
        },
        "speaking": {
            "message": {"content": "b"},
            "approvalMode": "auto",
            "planMode": False,
            "enabledIntegrations": [{"id": "x"}],
            "cliIntegrations": clis,
            "source": "api",
        },
        "nothing": {"message": {"content": "c"}, "approvalMode": "auto", "enabledIntegrations": []},
    }


def test_every_setting_is_read(tmp_path: Path) -> None:
    made = tasks(
        """\
tasks:
  t:
    message: x
    approvalMode: auto
    planMode: true
    enabledIntegrations: [{id: datadog}]
    cliIntegrations: [{catalogId: aws, name: prod}]
    permissionMode: default
    toolExecutionMode: cloud
    source: api
    role: r-1
    agentDefinitionId: a-1
    orgName: other-org
    name: "  Rotate IAM keys "
    isShared: true
    taskID: id-1
    movedFrom: old-key
""",
        tmp_path,
    )["t"]
    assert dict(made.inputs) == {
        "message": {"content": "x"},
        "approvalMode": "auto",
        "planMode": True,
        "enabledIntegrations": [{"id": "datadog"}],
        "cliIntegrations": [{"catalogId": "aws", "name": "prod"}],
        "permissionMode": "default",
        "toolExecutionMode": "cloud",
        "source": "api",
        "role": "r-1",
        "agentDefinitionId": "a-1",
        "name": "Rotate IAM keys",
        "isShared": True,
    }
    assert (made.task_id, made.moved_from) == ("id-1", "old-key")
    assert (made.org_name, made.org_from_manifest) == ("other-org", True)
    assert (made.file, made.line, made.column) == ("a.yaml", 3, 3)


def test_organizations(tmp_path: Path) -> None:
    made = tasks(
        "orgName: acme\ntasks:\n  a: {message: x}\n  b: {message: y, orgName: o}\n", tmp_path
    )
    assert (made["a"].org_name, made["b"].org_name) == ("acme", "o")
    (alone,) = tasks("tasks: {a: {message: x}}\n", tmp_path).values()
    assert (alone.org_name, alone.org_from_manifest) == (None, False)


def test_a_message_keeps_only_set_properties(tmp_path: Path) -> None:
    made = inputs(
        """\
tasks:
  a: {message: {content: x, type: user_message, entity_diff: null, commands: {}}}
  b: {message: {content: y, entity_diff: {add: [], remove: null}, commands: null}}
  c:
    message:
      content: z
      entity_diff:
        add:
          - {type: stack, name: prod, project: net}
          - {type: repository, org: o, name: n, forge: null, host: null}
          - {type: pull_request, number: 7, repo: {org: o, name: n, forge: github}}
          - {type: pull_request, number: 8, merged: true, repo: {org: o, name: n}}
          - {type: policy_issue, id: p, name: null}
      commands:
        /x: {name: /x, description: d, prompt: p, builtIn: true, modifiedAt: "2026-05-04T09:00:00Z",
             tag: "1"}
""",
        tmp_path,
    )
    assert made["a"]["message"] == {"content": "x"}
    assert made["b"]["message"] == {"content": "y"}
    assert made["c"]["message"]["entity_diff"] == {
        "add": [
            {"type": "stack", "name": "prod", "project": "net"},
            {"type": "repository", "org": "o", "name": "n"},
            {
                "type": "pull_request",
                "number": 7,
                "merged": False,
                "repo": {"type": "repository", "org": "o", "name": "n", "forge": "github"},
            },
            {
                "type": "pull_request",
                "number": 8,
                "merged": True,
                "repo": {"type": "repository", "org": "o", "name": "n"},
            },
            {"type": "policy_issue", "id": "p"},
        ]
    }
    assert made["c"]["message"]["commands"]["/x"]["tag"] == "1"


def test_a_task_with_a_task_id_needs_no_message(tmp_path: Path) -> None:
    made = tasks("defaults: {planMode: true}\ntasks: {a: {taskID: t-1}}\n", tmp_path)["a"]
    assert dict(made.inputs) == {"planMode": True}


def test_tasks_behind_an_alias(tmp_path: Path) -> None:
    manifests = loaded("version: 1\nmaxCreates: 2.0\ntasks: &t {}\ndefaults: *t\n", tmp_path)
    assert lines(manifests) == []
    assert manifests.max_creates == 2
    shared = "version: 1\ntasks:\n  a: &a\n    message: x\n    toolExecutionMode: cli\n  b: *a\n"
    assert lines(loaded(shared, tmp_path)) == [
        "a.yaml:6:3: error: TC304/equal tasks.b",
    ]


def test_an_invalid_default_does_not_hide_other_problems(tmp_path: Path) -> None:
    manifests = loaded(
        "version: 1\ndefaults: {planMode: on, approvalMode: manual}\ntasks: {a: {message: x}}\n",
        tmp_path,
    )
    assert lines(manifests) == [
        "a.yaml:2:22: error: TC203/yaml-1.1 defaults.planMode",
    ]


def test_an_invalid_default_name_is_rejected(tmp_path: Path) -> None:
    text = 'version: 1\ndefaults: {name: " "}\ntasks: {a: {message: x, name: null}}\n'
    assert lines(loaded(text, tmp_path)) == ["a.yaml:2:18: error: TC205/blank defaults.name"]
    assert "a.yaml:2:18" in lines(loaded(text.replace('" "', "n" * 300), tmp_path))[0]
