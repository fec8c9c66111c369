"""A task whose stream stays open after it has settled, as the service may keep it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.task import Identity
from reconciler.remote.client import Client
from reconciler.remote.event_stream import EventStream
from reconciler.remote.task_reader import TaskReader, event_cache
from reconciler.user_cache import UserCache
from tests.support.agent_events import agent_event, agent_message, user_event
from tests.support.client_tools import FakeTime, make_client

FIRST = {**user_event("user_message", content="Do it."), "id": "1"}


class World:
    """A service with one task. `streamed` is sent over its stream, followed only by heartbeats; the
    task is idle after `idle_after` requests for it."""

    def __init__(self, streamed: list[dict[str, Any]], idle_after: int) -> None:
        self.events = [FIRST]
        self.streamed, self.left = streamed, idle_after
        self.heartbeats = 0
        self.time = FakeTime()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path.endswith("/stream"):
            start("200 OK", [("Content-Type", "text/event-stream")])
            return self._stream()
        start("200 OK", [("Content-Type", "application/json")])
        if path.endswith("/events"):
            return [json.dumps({"events": self.events}).encode()]
        self.left -= 1
        return [json.dumps({"id": "t", "status": "running" if self.left >= 0 else "idle"}).encode()]

    def _stream(self) -> Iterator[bytes]:
        self.events += self.streamed
        for event in self.streamed:
            yield b"data: " + json.dumps(event).encode() + b"\n\n"
        for _ in itertools.count():
            self.heartbeats += 1
            self.time.now += 1
            yield b": heartbeat\n\n"

    def follow(self, folder: Path) -> list[str]:
        client: Client = make_client("local", self.time, app=self)
        reader = TaskReader(client, event_cache(UserCache(folder), "local", Identity("me")), str)
        stream = EventStream(client, reader, self.time.sleep, self.time.clock)
        return [event["id"] for event in stream.events("acme", "t")]


@pytest.mark.parametrize(
    "last",
    [
        agent_message("Done", final=True),
        agent_event("error", message="no"),
        agent_event("cancelled"),
        agent_message("I look"),
    ],
    ids=["final", "failed", "cancelled", "stopped"],
)
@pytest.mark.parametrize("idle_after", [1, 4])
def test_the_stream_ends_when_the_task_has_settled(
    last: dict[str, Any], idle_after: int, tmp_path: Path
) -> None:
    world = World([{**agent_message("I look"), "id": "2"}, {**last, "id": "3"}], idle_after)
    assert world.follow(tmp_path) == ["1", "2", "3"]
    assert world.heartbeats < 60


def test_the_stream_continues_while_the_task_runs(tmp_path: Path) -> None:
    """The status is checked every few seconds, not at each heartbeat."""
    world = World([{**agent_message("I look"), "id": "2"}], 10)
    assert world.follow(tmp_path) == ["1", "2"]
    assert 20 < world.heartbeats < 100
