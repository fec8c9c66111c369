"""Pulumi's Python SDK reads and writes marks without changing the instant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pulumi_cloud_sdk import models
from pulumi_cloud_sdk._support import default_encoder

from reconciler.model.mark import is_same
from reconciler.model.service import Created
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from tests.support.client_tools import OPEN, create_body
from tests.support.embedded_sdk import ORG, Sdk
from tests.support.embedded_server import running_server

MARKS = [
    "2026-11-24T14:44:49.123456Z",
    "2026-11-24T14:44:49.120001Z",
    "2026-11-24T14:44:49.999999Z",
    "2026-11-24T14:44:49.000001Z",
]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with running_server(tmp_path / "local.db", work_seconds=0.01) as url:
        yield url


def created(client: Client, mark: str) -> str:
    outcome = client.create_task(ORG, create_body("Do it.", mark), OPEN)
    assert isinstance(outcome, Created)
    return outcome.task_id


@pytest.mark.parametrize("sent", MARKS)
def test_a_mark_survives_the_sdk(url: str, sent: str) -> None:
    """Both when the SDK reads the event, and in what it would write."""
    with Client(Transport(url, "alice")) as client:
        task_id = created(client, sent)
        first = next(event for page in Sdk.of(url).event_pages(task_id) for event in page)
        assert isinstance(first.event_body, models.AgentUserEventMessage)
        assert first.event_body.timestamp == datetime.fromisoformat(sent)
        assert first.event_body.content == "Do it."
        written = default_encoder.sanitize_for_serialization(first)["eventBody"]["timestamp"]
        assert is_same(sent, str(written))
        found = client.first_message(ORG, task_id)
        assert found is not None
        assert found.mark == sent


READS: list[Callable[[Sdk, str], Any]] = [
    lambda sdk, task_id: sdk.agents.get_task(ORG, task_id),
    lambda sdk, _: sdk.pages(),
    lambda sdk, task_id: sdk.event_pages(task_id, page_size=1),
]


@pytest.mark.parametrize("read", READS)
def test_the_sdk_reads_everything_else(url: str, read: Callable[[Sdk, str], Any]) -> None:
    with Client(Transport(url, "alice")) as client:
        assert read(Sdk.of(url), created(client, MARKS[0]))


def test_a_mark_that_the_sdk_sends_is_read(url: str) -> None:
    message = models.AgentUserEventMessage(
        content="Do it.", timestamp=datetime.fromisoformat(MARKS[1])
    )
    request = models.CreateAgentTaskRequest(message=message)
    task_id = Sdk.of(url).agents.create_tasks(ORG, request).task_id
    with Client(Transport(url, "alice")) as client:
        found = client.first_message(ORG, task_id)
    assert found is not None
    assert is_same(MARKS[1], found.mark)
