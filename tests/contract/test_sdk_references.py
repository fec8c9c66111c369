"""Pulumi's Python SDK reads and writes prompts without changing their references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pulumi_cloud_sdk import models
from pulumi_cloud_sdk._support import default_encoder

from reconciler.model.reference import Reference, with_reference
from reconciler.model.service import Created
from reconciler.model.wire import create_body
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from tests.support.client_tools import OPEN
from tests.support.embedded_sdk import ORG, Sdk, user_message
from tests.support.embedded_server import running_server
from tests.support.state_samples import STATE_ID

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REFERENCES = [
    Reference("rotate-keys", 3, STATE_ID),
    Reference("upgrade@iam/dev", 999_999_999_999_999, "zuvuz-zuvuz-zuvuz"),
]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with running_server(tmp_path / "local.db", work_seconds=0.01) as url:
        yield url


def created(client: Client, reference: Reference) -> str:
    inputs = {"message": {"content": "Do it.\n"}}
    outcome = client.create_task(ORG, create_body(inputs, reference, NOON), OPEN)
    assert isinstance(outcome, Created)
    return outcome.task_id


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.key)
def test_a_reference_survives_the_sdk(url: str, reference: Reference) -> None:
    """Both when the SDK reads the event, and in what it would write."""
    sent = f"Do it.\n\n{reference.line}"
    with Client(Transport(url, "alice")) as client:
        task_id = created(client, reference)
        first = next(event for page in Sdk.of(url).event_pages(task_id) for event in page)
        assert isinstance(first.event_body, models.AgentUserEventMessage)
        assert first.event_body.content == sent
        assert first.event_body.timestamp == NOON
        written = default_encoder.sanitize_for_serialization(first)["eventBody"]
        assert written["content"] == sent
        found = client.first_message(ORG, task_id)
        assert found is not None
        assert (found.text, found.reference) == ("Do it.", reference)


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.key)
def test_a_reference_that_the_sdk_sends_is_read(url: str, reference: Reference) -> None:
    content = str(with_reference({"content": "Do it."}, reference)["content"])
    request = models.CreateAgentTaskRequest(message=user_message(content))
    task_id = Sdk.of(url).agents.create_tasks(ORG, request).task_id
    with Client(Transport(url, "alice")) as client:
        found = client.first_message(ORG, task_id)
    assert found is not None
    assert (found.text, found.reference) == ("Do it.", reference)


READS: list[Callable[[Sdk, str], Any]] = [
    lambda sdk, task_id: sdk.agents.get_task(ORG, task_id),
    lambda sdk, _: sdk.pages(),
    lambda sdk, task_id: sdk.event_pages(task_id, page_size=1),
]


@pytest.mark.parametrize("read", READS)
def test_the_sdk_reads_everything_else(url: str, read: Callable[[Sdk, str], Any]) -> None:
    with Client(Transport(url, "alice")) as client:
        assert read(Sdk.of(url), created(client, REFERENCES[0]))
