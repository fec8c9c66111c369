"""The embedded service called as a WSGI application, without a socket, with a simulated clock."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode
from wsgiref.types import WSGIApplication

SENT_AT = "2026-11-24T14:44:49.123Z"


@dataclass
class Clock:
    """A clock that stands still until a test advances it."""

    at: datetime = field(default_factory=lambda: datetime(2026, 11, 24, 12, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        assert self.json["code"] == self.status
        return str(self.json["message"])


@dataclass
class Api:
    """One user of a service, by token. `org` is the organization of its tasks."""

    app: WSGIApplication
    token: str | None = "alice"
    org: str = "acme"

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Iterable[tuple[str, object]] = (),
        headers: dict[str, str] | None = None,
    ) -> Answer:
        data = body if isinstance(body, bytes) else b"" if body is None else _encode(body)
        status, head, chunks = self.start(method, path, data, query, headers)
        try:
            return Answer(status, head, b"".join(chunks))
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def start(
        self,
        method: str,
        path: str,
        data: bytes = b"",
        query: Iterable[tuple[str, object]] = (),
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], Iterable[bytes]]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": urlencode(list(query)),
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
        }
        if self.token is not None:
            environ["HTTP_AUTHORIZATION"] = f"token {self.token}"
        for name, value in (headers or {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, head: list[tuple[str, str]], _exc: object = None) -> Any:
            started.append((status, head))

        chunks = self.app(environ, start_response)
        status, head = started[0]
        return int(status.split()[0]), dict(head), chunks

    @property
    def tasks(self) -> str:
        return f"/api/preview/agents/{self.org}/tasks"

    def post(self, **body: object) -> Answer:
        return self.call("POST", self.tasks, body)

    def create(self, content: str = "Do the work.", **settings: object) -> str:
        answer = self.post(message=message(content), **settings)
        assert answer.status == 201, answer.body
        return str(answer.json["taskId"])

    def task(self, task_id: str) -> Any:
        answer = self.call("GET", f"{self.tasks}/{task_id}")
        assert answer.status == 200, answer.body
        return answer.json

    def patch(self, task_id: str, **changes: object) -> Answer:
        return self.call("PATCH", f"{self.tasks}/{task_id}", changes)

    def respond(self, task_id: str, **event: object) -> Answer:
        return self.call(
            "POST", f"{self.tasks}/{task_id}", {"event": {"timestamp": SENT_AT, **event}}
        )

    def cancel(self, task_id: str, *, force: object = True) -> Answer:
        return self.call("POST", f"{self.tasks}/{task_id}/cancel", {"force": force})

    def pages(self, path: str | None = None, **query: object) -> list[list[Any]]:
        """All pages of a list of tasks or of events, each as its items."""
        pages: list[list[Any]] = []
        token: dict[str, object] = {}
        while True:
            parameters = {**query, **token}.items()
            answer = self.call("GET", path or self.tasks, query=parameters)
            assert answer.status == 200, answer.body
            pages.append(answer.json.get("tasks", answer.json.get("events")))
            if "continuationToken" not in answer.json:
                return pages
            token = {"continuationToken": answer.json["continuationToken"]}

    def events(self, task_id: str, **query: object) -> list[Any]:
        path = f"{self.tasks}/{task_id}/events"
        return [event for page in self.pages(path, **query) for event in page]

    def list(self, **query: object) -> Answer:  # the last: it hides the type of its name
        return self.call("GET", self.tasks, query=query.items())


def message(content: str = "Do the work.", **fields: object) -> dict[str, object]:
    return {"type": "user_message", "timestamp": SENT_AT, "content": content, **fields}


def lose_tasks(db: Path, *ids: str) -> None:
    """The service loses these tasks (default: all), and their events, which the next tasks would
    have otherwise."""
    where = f"id IN ({', '.join('?' * len(ids))})" if ids else "1"
    with closing(sqlite3.connect(db)) as database, database:
        database.execute(
            f"DELETE FROM events WHERE task IN (SELECT seq FROM tasks WHERE {where})", ids
        )
        database.execute(f"DELETE FROM tasks WHERE {where}", ids)


def _encode(body: object) -> bytes:
    return json.dumps(body).encode()
