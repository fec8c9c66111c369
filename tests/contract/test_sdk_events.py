"""The conversation of a task through Pulumi's SDK: events, responses and cancels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pulumi_cloud_sdk import models

from reconciler.embedded.app import App
from reconciler.embedded.lifecycle import Script, Step, Turn, finishing, stamp
from tests.support.embedded_client import Api, message
from tests.support.embedded_sdk import ORG, SENT_AT, Sdk, refused, user_message
from tests.support.embedded_server import running_app

WORK = timedelta(seconds=10)


@dataclass
class Service:
    """A server whose clock the test controls, and one user of it."""

    sdk: Sdk
    forward: Callable[[timedelta], None]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    at = [datetime(2026, 11, 24, 12, tzinfo=UTC)]

    def forward(by: timedelta) -> None:
        at[0] += by

    app = App(tmp_path / "local.db", now=lambda: at[0], work_seconds=WORK.total_seconds())
    with closing(app), running_app(app) as url:
        yield Service(Sdk.of(url), forward)


@pytest.fixture
def sdk(service: Service) -> Sdk:
    return service.sdk


def events(sdk: Sdk, task_id: str) -> list[models.AgentConsoleEvent]:
    return [event for page in sdk.event_pages(task_id) for event in page]


def respond(sdk: Sdk, task_id: str, event: models.AgentUserEvent) -> None:
    sdk.agents.respond_to_task(ORG, task_id, models.AgentRespondToTaskRequest(event=event))


def test_every_event_is_read(service: Service, sdk: Sdk) -> None:
    task_id = sdk.create("Rotate every key.")
    assert sdk.agents.get_task(ORG, task_id).status == models.AgentTaskStatus.Running
    service.forward(WORK)
    found = events(sdk, task_id)
    assert [type(event.event_body) for event in found] == [
        models.AgentUserEventMessage,
        models.AgentBackendEventSetTaskName,
        models.AgentBackendEventAssistantMessage,
        models.AgentBackendEventToolResponse,
        models.AgentBackendEventAssistantMessage,
    ]
    said, named, calling, response, last = [event.event_body for event in found]
    assert (said.content, said.timestamp) == ("Rotate every key.", SENT_AT)
    assert named.name == sdk.agents.get_task(ORG, task_id).name == "Rotate every key"
    assert calling.tool_calls[0].id == response.tool_call_id
    assert (calling.is_final, last.is_final) == (False, True)
    assert last.token_usage["embedded"].output_tokens > 0
    assert not any(event.is_synthetic for event in found)
    assert sdk.agents.get_task(ORG, task_id).status == models.AgentTaskStatus.Idle


def test_events_come_in_small_pages(service: Service, sdk: Sdk) -> None:
    task_id = sdk.create()
    service.forward(WORK)
    pages = sdk.event_pages(task_id, page_size=2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [event.id for page in pages for event in page] == [
        event.id for event in events(sdk, task_id)
    ]


def test_a_second_message_is_delivered(service: Service, sdk: Sdk) -> None:
    task_id = sdk.create()
    with refused(409):
        respond(sdk, task_id, user_message("And then?"))
    service.forward(WORK)
    respond(sdk, task_id, user_message("And then?"))
    service.forward(WORK)
    said = [
        event.event_body.content
        for event in events(sdk, task_id)
        if isinstance(event, models.AgentConsoleEventUserInput)
    ]
    assert said == ["Do the work.", "And then?"]


def test_cancels(service: Service, sdk: Sdk) -> None:
    gently, by_force = sdk.create(), sdk.create()
    service.forward(WORK / 2)
    respond(sdk, gently, models.AgentUserEventCancel(timestamp=SENT_AT))
    with refused(400):
        sdk.agents.cancel_task(ORG, by_force, models.CancelAgentTaskRequest(force=False))
    sdk.agents.cancel_task(ORG, by_force, models.CancelAgentTaskRequest(force=True))
    service.forward(WORK)
    for task_id in (gently, by_force):
        last = events(sdk, task_id)[-1].event_body
        assert isinstance(last, models.AgentBackendEventCancelledMessage)
        assert last.operation_was_running is True
        assert sdk.agents.get_task(ORG, task_id).status == "idle"


def test_refused_responses(service: Service, sdk: Sdk) -> None:
    task_id = sdk.create()
    service.forward(WORK)
    with refused(400) as words:
        sdk.agents.respond_to_task(ORG, task_id, models.AgentRespondToTaskRequest())
    assert words == ["event field is required"]
    confirmation = models.AgentUserEventConfirmation(
        timestamp=SENT_AT, approval_request_id="none", ok=True
    )
    with refused(400):
        respond(sdk, task_id, confirmation)
    with refused(404):
        respond(sdk, "no-such-task", user_message())
    with refused(404):
        sdk.agents.cancel_task(ORG, "no-such-task", models.CancelAgentTaskRequest(force=True))


def _asking(turn: Turn) -> Script:
    if turn.number > 1:
        return finishing(turn, 0)
    request: dict[str, object] = {
        "type": "user_approval_request",
        "id": "question-1",
        "message": "May I?",
        "source": "agent",
        "approval_type": "general",
        "timestamp": stamp(turn.started_ms),
    }
    return Script((Step(turn.started_ms, request),), turn.started_ms, 1, approval="question-1")


def test_an_approval(tmp_path: Path) -> None:
    with closing(App(tmp_path / "asks.db", scenario=_asking)) as app, running_app(app) as url:
        sdk = Sdk.of(url)
        task_id = sdk.create()
        assert sdk.agents.get_task(ORG, task_id).status == "idle"
        question = events(sdk, task_id)[-1].event_body
        assert isinstance(question, models.AgentBackendEventUserApprovalRequest)
        answer = models.AgentUserEventConfirmation(
            timestamp=SENT_AT, approval_request_id=question.id, ok=False, instructions="Not so."
        )
        respond(sdk, task_id, answer)
        assert sdk.agents.get_task(ORG, task_id).pending_input_count == 0
        assert answer in [event.event_body for event in events(sdk, task_id)]


def test_events_with_nanoseconds_are_read(tmp_path: Path) -> None:
    """The SDK reads microseconds; the service keeps all digits."""
    sent = "2026-11-24T14:44:49.123456789Z"
    with closing(App(tmp_path / "local.db", work_seconds=0)) as app, running_app(app) as url:
        api = Api(app)
        task_id = api.post(message={**message(), "timestamp": sent}).json["taskId"]
        first = events(Sdk.of(url), task_id)[0].event_body
        assert first.timestamp == datetime(2026, 11, 24, 14, 44, 49, 123456, tzinfo=UTC)
        assert api.events(task_id)[0]["eventBody"]["timestamp"] == sent
