"""Tasks through Pulumi's own SDK, which must be able to create, read and page through them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pulumi_cloud_sdk import models

from reconciler.model.fields import FIELDS
from tests.support.embedded_sdk import ORG, SENT_AT, Sdk, refused, user_message
from tests.support.embedded_server import running_server
from tests.support.skipped_time import skipped_now

REPOSITORY = models.AgentEntityRepository(
    name="infra", org="acme", forge="github", host="github.example.com"
)
ENTITIES = [
    models.AgentEntityStack(name="prod", project="network"),
    REPOSITORY,
    models.AgentEntityPR(repo=REPOSITORY, number=7, merged=True),
    models.AgentEntityPolicyIssue(id="p-1", name="no-public-buckets"),
]
COMMAND = models.AgentSlashCommand(
    name="/fix",
    prompt="Fix it.",
    description="Fixes it",
    built_in=True,
    modified_at=SENT_AT,
    tag="t1",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    db = tmp_path_factory.mktemp("service") / "local.db"
    with running_server(db, work_seconds=0) as url:
        yield url


@pytest.fixture
def sdk(url: str, request: pytest.FixtureRequest) -> Sdk:
    """An identity for this test alone, so that no test sees the tasks of another."""
    return Sdk.of(url, token=request.node.name)


def test_the_returned_settings_are_those_of_a_task_of_the_sdk() -> None:
    shown = {value for name, value in vars(models.AgentTask).items() if name.startswith("FIELDS_")}
    assert {f.name for f in FIELDS if f.returned} == {f.name for f in FIELDS} & shown


def test_create_with_every_input_and_read_it_back(sdk: Sdk) -> None:
    before = skipped_now() - timedelta(seconds=1)
    message = user_message(
        "Rotate every key.",
        entity_diff=models.AgentEntityDiff(add=ENTITIES),
        commands={"/fix": COMMAND},
    )
    request = models.CreateAgentTaskRequest(
        message=message,
        approval_mode=models.NeoApprovalMode.Balanced,
        plan_mode=True,
        permission_mode=models.NeoPermissionMode.ReadOnly,
        role="role-1",
        agent_definition_id="agent-1",
        tool_execution_mode=models.ToolExecutionMode.Worker,
        enabled_integrations=[models.AgentTaskIntegrationRef(id="datadog")],
        source=models.AgentTaskSource.Schedule,
        cli_integrations=[models.CLIIntegrationRef(catalog_id="aws", name="prod")],
    )
    task_id = sdk.agents.create_tasks(ORG, request).task_id
    task = sdk.agents.get_task(ORG, task_id)
    assert task.id == task_id
    assert task.approval_mode == "balanced"
    assert task.permission_mode == "read-only"
    assert task.plan_mode is True
    assert (task.role, task.role_name, task.agent_definition_id) == ("role-1", "role-1", "agent-1")
    assert task.tool_execution_mode == "worker"
    assert (task.source, task.task_type) == ("schedule", "sync")
    assert task.entities == ENTITIES
    assert task.created_by.github_login == sdk.users.get_current_user().github_login
    assert before < task.created_at < skipped_now() + timedelta(seconds=1)
    assert (task.is_shared, task.shared_at, task.pending_input_count) == (False, None, 0)
    first = sdk.agents.get_task_events(ORG, task_id).events[0]
    assert first.event_body == message
    assert first.actor == task.created_by


def test_create_with_only_a_message(sdk: Sdk) -> None:
    task = sdk.agents.get_task(ORG, sdk.create("Review costs."))
    assert task.name == "Review costs"
    assert task.status == "idle"
    assert (task.source, task.task_type) == ("api", "sync")
    assert (task.plan_mode, task.permission_mode) == (False, "default")
    assert task.tokens_used > 0


@pytest.mark.parametrize(
    "settings",
    [
        {"enabled_integrations": [], "cli_integrations": []},
        *({"approval_mode": mode} for mode in models.NeoApprovalMode.values()),
        *({"permission_mode": mode} for mode in models.NeoPermissionMode.values()),
        *({"source": source} for source in models.AgentTaskSource.values()),
        *({"tool_execution_mode": mode} for mode in models.ToolExecutionMode.values()),
    ],
)
def test_every_value_of_the_sdk_is_accepted(sdk: Sdk, settings: dict[str, Any]) -> None:
    task = sdk.agents.get_task(ORG, sdk.create(**settings))
    for name, value in settings.items():
        if value:
            assert getattr(task, name) == value


def test_small_pages_have_the_newest_tasks_first(sdk: Sdk) -> None:
    made = [sdk.create() for _ in range(10)]
    pages = sdk.pages(page_size=3, sort_by="created", sort_direction="desc")
    assert [len(page) for page in pages] == [3, 3, 3, 1]
    assert [task.id for page in pages for task in page] == made[::-1]


def test_patch_every_field(sdk: Sdk) -> None:
    task_id = sdk.create()
    request = models.UpdateTaskRequest(
        name="A name",
        is_shared=True,
        approval_mode=models.NeoApprovalMode.Auto,
        permission_mode=models.NeoPermissionMode.ReadOnly,
        role="role-2",
    )
    task = sdk.agents.update_task(ORG, task_id, request)
    assert (task.name, task.is_shared, task.role) == ("A name", True, "role-2")
    assert (task.approval_mode, task.permission_mode) == ("auto", "read-only")
    assert task.shared_at is not None
    assert sdk.agents.get_task(ORG, task_id) == task


def test_private_and_shared(sdk: Sdk, url: str) -> None:
    other = Sdk.of(url, token="somebody else")
    task_id = sdk.create()
    with refused(404):
        other.agents.get_task(ORG, task_id)
    sdk.agents.update_task(ORG, task_id, models.UpdateTaskRequest(is_shared=True))
    assert other.agents.get_task(ORG, task_id).id == task_id
    with refused(404):
        other.agents.update_task(ORG, task_id, models.UpdateTaskRequest(name="Mine"))
    # The SDK sends an unset flag as false, and false is false.
    sdk.agents.update_task(ORG, task_id, models.UpdateTaskRequest(name="Renamed"))
    with refused(404):
        other.agents.get_task(ORG, task_id)


def test_the_current_user_is_returned(sdk: Sdk, url: str) -> None:
    user = sdk.users.get_current_user()
    assert user.id
    assert user.token_info.organization == user.token_info.team == ""
    assert [organization.role for organization in user.organizations] == ["member"]
    assert Sdk.of(url, token="somebody else").users.get_current_user().id != user.id
    answer = sdk.users.get_default_organization()
    assert (answer.git_hub_login, answer.messages) == ("local", [])


def test_refusals(sdk: Sdk) -> None:
    task_id = sdk.create()
    stack = models.AgentEntityStack(name="", project="network")
    with refused(400) as words:
        sdk.agents.create_tasks(ORG, models.CreateAgentTaskRequest())
    assert "prompt is required" in words[0]
    with refused(400):
        sdk.create(" ")
    with refused(400):
        sdk.create(approval_mode="never")
    with refused(400):
        message = user_message(entity_diff=models.AgentEntityDiff(add=[stack]))
        sdk.agents.create_tasks(ORG, models.CreateAgentTaskRequest(message=message))
    for size in (0, 1001, -1):
        with refused(400) as words:
            sdk.agents.list_tasks(ORG, page_size=size)
        assert words == ["pageSize must be between 1 and 1000"]
        with refused(400):
            sdk.agents.get_task_events(ORG, task_id, page_size=size)
    with refused(400):
        sdk.agents.list_tasks(ORG, continuation_token="made up")
    with refused(400):
        sdk.agents.update_task(ORG, task_id, models.UpdateTaskRequest(name=" "))
    with refused(404):
        sdk.agents.get_task(ORG, "no-such-task")
    with refused(404):
        sdk.neo.get_org_neo_token_budget(ORG)


def test_without_a_token(url: str) -> None:
    with refused(401):
        Sdk.of(url, token=None).agents.list_tasks(ORG)


def test_with_a_wrong_token(tmp_path: Path) -> None:
    with running_server(tmp_path / "local.db", token="right") as url:
        assert Sdk.of(url, token="right").agents.list_tasks(ORG).tasks == []
        with refused(401):
            Sdk.of(url, token="wrong").agents.list_tasks(ORG)
