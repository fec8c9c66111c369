"""Pulumi's own Python SDK, pointed at a server of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError

import pytest
from pulumi_cloud_sdk import models
from pulumi_cloud_sdk.api_client import ApiClient
from pulumi_cloud_sdk.apis.ai_agents_api_ import AI_AgentsApi
from pulumi_cloud_sdk.apis.neo_api_ import NeoApi
from pulumi_cloud_sdk.apis.users_api_ import UsersApi
from pulumi_cloud_sdk.configuration import Configuration

SENT_AT = datetime(2026, 11, 24, 14, 44, 49, 123000, tzinfo=UTC)
ORG = "acme"


@dataclass(frozen=True)
class Sdk:
    """One user: the generated API classes over one client."""

    client: ApiClient

    @classmethod
    def of(cls, url: str, token: str | None = "alice") -> Sdk:
        configuration = Configuration()
        configuration.host = url
        configuration.access_token = token
        return cls(ApiClient(configuration))

    @property
    def agents(self) -> AI_AgentsApi:
        return AI_AgentsApi(self.client)

    @property
    def users(self) -> UsersApi:
        return UsersApi(self.client)

    @property
    def neo(self) -> NeoApi:
        return NeoApi(self.client)

    def create(self, content: str = "Do the work.", org: str = ORG, **settings: Any) -> str:
        request = models.CreateAgentTaskRequest(message=user_message(content), **settings)
        return str(self.agents.create_tasks(org, request).task_id)

    def pages(self, **query: Any) -> list[list[Any]]:
        return _pages(lambda **more: self.agents.list_tasks(ORG, **query, **more), "tasks")

    def event_pages(self, task_id: str, **query: Any) -> list[list[Any]]:
        read = self.agents.get_task_events
        return _pages(lambda **more: read(ORG, task_id, **query, **more), "events")


def user_message(content: str = "Do the work.", **fields: Any) -> models.AgentUserEventMessage:
    return models.AgentUserEventMessage(timestamp=SENT_AT, content=content, **fields)


@contextmanager
def refused(status: int) -> Iterator[list[str]]:
    """The call in the block must fail with this status in Pulumi's form; gives its message."""
    messages: list[str] = []
    with pytest.raises(HTTPError) as caught:
        yield messages
    with caught.value as problem:
        document = json.loads(problem.read())
    assert (problem.code, document["code"]) == (status, status)
    messages.append(document["message"])


def _pages(read: Callable[..., Any], name: str) -> list[list[Any]]:
    pages, token = [], None
    while True:
        answer = read(continuation_token=token)
        pages.append(getattr(answer, name))
        token = answer.continuation_token
        if token is None:
            return pages
