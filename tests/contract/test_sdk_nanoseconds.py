"""Pulumi's Python SDK, whose times have microseconds, reads marks, which have nanoseconds.

The SDK reads what taskctl created, truncated to microseconds, and sends messages afterwards; the
service still shows the mark as it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pulumi_cloud_sdk import models
from pulumi_cloud_sdk._support import default_encoder

from reconciler.model.service import Created
from reconciler.remote.client import Client
from reconciler.remote.transport import Transport
from tests.support.client_tools import OPEN, create_body
from tests.support.embedded_sdk import ORG, Sdk
from tests.support.embedded_server import running_server

MARKS = [
    ("2026-11-24T14:44:49.123456789Z", 123456),
    ("2026-11-24T14:44:49.123000001Z", 123000),
    ("2026-11-24T14:44:49.999999999Z", 999999),
    ("2026-11-24T14:44:49.000000001Z", 0),
]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    with running_server(tmp_path / "local.db", work_seconds=0.01) as url:
        yield url


def created(client: Client, mark: str) -> str:
    outcome = client.create_task(ORG, create_body("Do it.", mark), OPEN)
    assert isinstance(outcome, Created)
    return outcome.task_id


@pytest.mark.parametrize(("mark", "microseconds"), MARKS)
def test_the_sdk_reads_events_with_nanoseconds(url: str, mark: str, microseconds: int) -> None:
    with Client(Transport(url, "alice")) as client:
        task_id = created(client, mark)
        first = next(event for page in Sdk.of(url).event_pages(task_id) for event in page)
        assert isinstance(first.event_body, models.AgentUserEventMessage)
        assert first.event_body.timestamp == datetime(
            2026, 11, 24, 14, 44, 49, microseconds, tzinfo=UTC
        )
        assert first.event_body.content == "Do it."
        found = client.first_message(ORG, task_id)
        assert found is not None
        assert found.mark == mark


READS: list[Callable[[Sdk, str], Any]] = [
    lambda sdk, task_id: sdk.agents.get_task(ORG, task_id),
    lambda sdk, _: sdk.pages(),
    lambda sdk, task_id: sdk.event_pages(task_id, page_size=1),
]


@pytest.mark.parametrize("read", READS)
def test_the_sdk_reads_everything_else(url: str, read: Callable[[Sdk, str], Any]) -> None:
    with Client(Transport(url, "alice")) as client:
        assert read(Sdk.of(url), created(client, MARKS[0][0]))


def test_an_event_sent_by_the_sdk_has_microseconds(url: str) -> None:
    """A reader that writes an event loses only the last three digits: a mark with six digits still
    matches."""
    with Client(Transport(url, "alice")) as client:
        task_id = created(client, MARKS[0][0])
    first = Sdk.of(url).event_pages(task_id)[0][0]
    written = default_encoder.sanitize_for_serialization(first)["eventBody"]["timestamp"]
    assert str(written).startswith("2026-11-24T14:44:49.123456")
