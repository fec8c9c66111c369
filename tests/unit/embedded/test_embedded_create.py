"""Creating: what is rejected, what is tolerated, and what a new task looks like."""

from __future__ import annotations

import pytest

from tests.support.embedded_client import SENT_AT, Api, message

STACK = {"type": "stack", "name": "prod", "project": "network"}
REPOSITORY = {"type": "repository", "name": "infra", "org": "acme", "forge": "github"}
PULL_REQUEST = {"type": "pull_request", "number": 7, "merged": False, "repo": REPOSITORY}
POLICY_ISSUE = {"type": "policy_issue", "id": "p-1", "name": "no-public-buckets"}
POLICY_FINDING = {"type": "policy_finding", "id": "f-1", "name": "no-public-buckets"}


def with_entity(**entity: object) -> dict[str, object]:
    return {"message": message(entity_diff={"add": [entity]})}


REFUSED = [
    ({}, "message"),
    ({"message": None}, "message"),
    ({"message": "text"}, "message"),
    ({"message": message("")}, "blank"),
    ({"message": message(" \n\t")}, "blank"),
    ({"message": {**message(), "content": None}}, "blank"),
    ({"message": {**message(), "content": 7}}, "content"),
    ({"message": {**message(), "type": "user_cancel"}}, "user_message"),
    ({"message": {"content": "x", "timestamp": SENT_AT}}, "user_message"),
    ({"message": {**message(), "timestamp": "yesterday"}}, "timestamp"),
    ({"message": {**message(), "timestamp": "2026-11-24"}}, "timestamp"),
    ({"message": {**message(), "timestamp": "2026-11-24T14:44:49"}}, "timestamp"),
    ({"message": {**message(), "timestamp": "2026-13-24T14:44:49Z"}}, "timestamp"),
    ({"message": message(), "approvalMode": "never"}, "approvalMode"),
    ({"message": message(), "permissionMode": "root"}, "permissionMode"),
    ({"message": message(), "toolExecutionMode": "moon"}, "toolExecutionMode"),
    ({"message": message(), "source": "fax"}, "source"),
    ({"message": message(), "planMode": "yes"}, "planMode"),
    ({"message": message(), "role": 7}, "role"),
    ({"message": message(), "enabledIntegrations": "all"}, "enabledIntegrations"),
    ({"message": message(), "enabledIntegrations": ["datadog"]}, "enabledIntegrations"),
    ({"message": message(entity_diff=[])}, "entity_diff"),
    ({"message": message(entity_diff={"add": {"type": "stack"}})}, "add"),
    ({"message": message(commands={"/fix": "now"})}, "commands"),
    (with_entity(), "entity_diff"),
    (with_entity(type="planet", name="x"), "planet"),
    (with_entity(type="stack", name="", project="p"), "name"),
    (with_entity(type="stack", name="s"), "project"),
    (with_entity(type=["stack"]), "type of entity"),
    (with_entity(type="repository", name="r"), "org"),
    (with_entity(type="pull_request"), "number"),
    (with_entity(type="pull_request", number=1), "repo"),
    (with_entity(type="pull_request", number=1, repo="r"), "mapping"),
    (with_entity(type="pull_request", number=1, repo={"name": "r"}), "org"),
]


@pytest.mark.parametrize(("body", "named"), REFUSED)
def test_an_invalid_create_is_rejected_with_the_reason(
    api: Api, body: dict[str, object], named: str
) -> None:
    answer = api.post(**body)
    assert answer.status == 400
    assert named in answer.message
    assert api.list().json == {"tasks": []}


def test_a_new_task_has_the_defaults_and_runs(api: Api) -> None:
    task = api.task(api.create())
    creator = task.pop("createdBy")
    assert creator["githubLogin"].startswith("user-")
    del task["id"]
    assert task == {
        "approvalMode": "manual",
        "createdAt": "2026-11-24T12:00:00.000Z",
        "entities": [],
        "isShared": False,
        "name": "Do the work",
        "pendingInputCount": 0,
        "permissionMode": "default",
        "planMode": False,
        "source": "api",
        "status": "running",
        "taskType": "sync",
        "tokensUsed": 0,
        "toolExecutionMode": "cloud",
    }


def test_every_input_is_stored(api: Api) -> None:
    entities = [STACK, REPOSITORY, PULL_REQUEST, POLICY_ISSUE, POLICY_FINDING]
    task = api.task(
        api.create(
            approvalMode="balanced",
            permissionMode="read-only",
            toolExecutionMode="worker",
            source="console",
            planMode=True,
            role="role-1",
            agentDefinitionId="agent-1",
            enabledIntegrations=[{"id": "datadog"}],
            cliIntegrations=[{"catalogId": "aws", "name": "prod"}],
        )
    )
    expected = {
        "approvalMode": "balanced",
        "permissionMode": "read-only",
        "toolExecutionMode": "worker",
        "source": "console",
        "planMode": True,
        "role": "role-1",
        "roleName": "role-1",
        "agentDefinitionId": "agent-1",
    }
    assert {name: task[name] for name in expected} == expected
    created = api.post(message=message(entity_diff={"add": entities})).json["taskId"]
    assert api.task(created)["entities"] == entities


def test_null_is_absent_and_unknown_fields_are_ignored(api: Api) -> None:
    names = ("approvalMode", "planMode", "role", "source", "agentDefinitionId", "cliIntegrations")
    body = {**dict.fromkeys(names), "colour": "green"}
    nulls = message(entity_diff=None, commands=None, mood="good")
    answer = api.post(message=nulls, **body)
    assert answer.status == 201
    (event, *_) = api.events(answer.json["taskId"])
    assert event["eventBody"] == message()


def test_entities_are_stored_without_nulls_and_duplicates(api: Api) -> None:
    given = {**PULL_REQUEST, "repo": {**REPOSITORY, "host": None}}
    diff = {"add": [given, STACK, STACK], "remove": None}
    task_id = api.post(message=message(entity_diff=diff)).json["taskId"]
    assert api.task(task_id)["entities"] == [PULL_REQUEST, STACK]
    (event, *_) = api.events(task_id)
    assert event["eventBody"]["entity_diff"] == {"add": [PULL_REQUEST, STACK, STACK]}


@pytest.mark.parametrize(
    "timestamp",
    [SENT_AT, "2026-11-24T14:44:49Z", "2026-11-24T16:44:49.123456+02:00", "0001-01-01T00:00:00Z"],
)
def test_the_timestamp_is_stored_unchanged(api: Api, timestamp: str) -> None:
    task_id = api.post(message={**message(), "timestamp": timestamp}).json["taskId"]
    (event, *_) = api.events(task_id)
    assert event["eventBody"]["timestamp"] == timestamp


@pytest.mark.parametrize(
    "content",
    [
        "Grüße\r\n\u2028 \U0001f600 \x1b[31m",
        "a\x00b",
        '"\\',
        "Do it.\n\nTaskctl-Task: do-it/3 bafol-rusab-tizok",
    ],
)
def test_a_prompt_is_returned_unchanged(api: Api, content: str) -> None:
    (event, *_) = api.events(api.create(content))
    assert event["eventBody"]["content"] == content


SECRETS = "Use pul-" + "0123456789" * 4 + " and AKIA" + "A" * 16 + ", password=hunter2 now"


def test_credentials_in_prompts_are_not_redacted(api: Api) -> None:
    (event, *_) = api.events(api.create(SECRETS))
    assert event["eventBody"]["content"] == SECRETS
