"""The live page of `taskctl serve`: one HTML document for every address, without a build step.

Its policy allows its own style and script, by their digests, and requests to its own origin. The
page has no content of its own: its script asks for a token and reads the API with it.
"""

from __future__ import annotations

import json
import sqlite3
from functools import cache
from html import escape
from pathlib import Path

from reconciler.embedded.handlers import ServiceContext, get_visible
from reconciler.embedded.tasks import COLUMNS, StoredTask
from reconciler.embedded.wsgi import (
    ApiRequest,
    ApiResponse,
    JsonObject,
    json_response,
)
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.system.resources import inline_digests
from reconciler.tasks.events import EventSummary, advance
from reconciler.tasks.results import first_line, pull_requests
from reconciler.tasks.status import TaskStatus, state_of

MAX_TASKS = 200
_MAX_LINE = 300
_VISIBLE = "FROM tasks WHERE creator = ? OR shared = 1"
_EVENTS = "SELECT document FROM events WHERE task = ? AND at_ms <= ? ORDER BY n"


def get_page(service: ServiceContext, _request: ApiRequest) -> ApiResponse:
    """With the path of the file that has the token, never the token."""
    file = escape(str(service.token_file or "")).encode("utf-8", "replace")
    document = _document().replace(b"<body>", b'<body data-token-file="%s">' % file)
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(document))),
        ("Content-Security-Policy", _policy()),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )
    return ApiResponse(200, (document,), headers)


def get_overview(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    """The newest tasks that the user can see, up to MAX_TASKS, and how many there are in total."""
    user, now_ms = request.user.id, service.now_ms()
    newest = f"SELECT {COLUMNS}, org {_VISIBLE} ORDER BY seq DESC LIMIT ?"
    with service.storage.reading() as connection:
        (total,) = connection.execute(f"SELECT count(*) {_VISIBLE}", (user,)).fetchone()
        rows = connection.execute(newest, (user, MAX_TASKS)).fetchall()
        tasks = [_summary(connection, StoredTask(*row[:-1]), row[-1], now_ms) for row in rows]
    return json_response(200, {"tasks": tasks, "total": total})


def get_summary(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    """What the page shows about a task in addition to the task itself."""
    with service.storage.reading() as connection:
        status = _status(connection, get_visible(connection, request), service.now_ms())
    answer = status.summary.words if status.state is TaskState.DONE else ""
    listed = _pull_requests(status)
    return json_response(200, {"state": status.state, "pullRequests": listed, "answer": answer})


def _summary(
    connection: sqlite3.Connection, task: StoredTask, org_name: str, now_ms: int
) -> JsonObject:
    status = _status(connection, task, now_ms)
    is_over = status.state in (TaskState.DONE, TaskState.FAILED)
    question = "".join(approval.message for approval in status.approvals[:1])
    if status.parked:
        question = "Waiting for the result of a tool call that a client has to execute."
    return {
        "id": task.id,
        "orgName": org_name,
        "name": task.name,
        "state": status.state,
        "question": question,
        "pullRequests": _pull_requests(status),
        "said": first_line(status.summary.words)[:_MAX_LINE] if is_over else "",
        "createdAt": status.raw["createdAt"],
        "tokensUsed": status.tokens_used,
    }


def _status(connection: sqlite3.Connection, task: StoredTask, now_ms: int) -> TaskStatus:
    """The status as taskctl shows it."""
    events = connection.execute(_EVENTS, (task.seq, now_ms))
    summary = advance(EventSummary(), (json.loads(text) for (text,) in events))
    raw = json.loads(task.document(now_ms))
    return TaskStatus(TaskRef("", ""), state_of(raw, summary), raw=raw, summary=summary)


def _pull_requests(status: TaskStatus) -> list[JsonObject]:
    listed = pull_requests(status)
    return [{"text": pull.text, "url": pull.url, "merged": pull.is_merged} for pull in listed]


@cache
def _document() -> bytes:
    return Path(__file__).with_name("page.html").read_bytes()


def _policy() -> str:
    digests = inline_digests(_document().decode())
    return (
        f"default-src 'none'; connect-src 'self'; style-src 'sha256-{digests['style']}'; "
        f"script-src 'sha256-{digests['script']}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
