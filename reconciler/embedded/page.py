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
from typing import NamedTuple

from reconciler.embedded.handlers import ServiceContext
from reconciler.embedded.lifecycle import stamp
from reconciler.embedded.tasks import COLUMNS, StoredTask, find_task
from reconciler.embedded.wsgi import (
    ApiError,
    ApiRequest,
    ApiResponse,
    JsonObject,
    User,
    json_response,
)
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.system.resources import inline_digests
from reconciler.tasks.events import EventSummary, advance
from reconciler.tasks.results import first_line, pull_requests
from reconciler.tasks.status import TaskStatus

MAX_TASKS = 200
_MAX_LINE = 300
_VISIBLE = "FROM tasks WHERE creator = ? OR shared = 1"
_LAST_EVENT = (
    "SELECT document FROM events WHERE task = ? AND at_ms <= ?"
    " AND json_extract(document, '$.type') = 'agentResponse' ORDER BY n DESC LIMIT 1"
)
_ATTACHING = (
    "SELECT document FROM events WHERE task = ?"
    " AND json_extract(document, '$.eventBody.entity_diff') IS NOT NULL ORDER BY n"
)


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
    with service.storage.reading() as connection:
        return json_response(200, _overview(connection, request.user, service.now_ms()))


def get_summary(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    """What the page shows about a task in addition to the task itself."""
    with service.storage.reading() as connection:
        task = find_task(connection, request.org_name, request.task_id, request.user)
        if task is None:
            raise ApiError(404, "Task not found")
        outcome = _outcome(connection, task, service.now_ms())
    answer = outcome.words if outcome.state == "done" else ""
    listed = list(outcome.pull_requests)
    return json_response(200, {"state": outcome.state, "pullRequests": listed, "answer": answer})


def _overview(connection: sqlite3.Connection, user: User, now_ms: int) -> JsonObject:
    """The newest tasks that the user can see, up to MAX_TASKS, and how many there are in total."""
    (total,) = connection.execute(f"SELECT count(*) {_VISIBLE}", (user.id,)).fetchone()
    newest = f"SELECT {COLUMNS}, org, created_ms {_VISIBLE} ORDER BY seq DESC LIMIT ?"
    rows = connection.execute(newest, (user.id, MAX_TASKS)).fetchall()
    tasks = [_summary(connection, StoredTask(*row[:-2]), row[-2], row[-1], now_ms) for row in rows]
    return {"tasks": tasks, "total": total}


def _summary(
    connection: sqlite3.Connection, task: StoredTask, org_name: str, created_ms: int, now_ms: int
) -> JsonObject:
    question = ""
    if task.open_approval(now_ms):
        question = _question(connection, task)
    elif task.open_tool_calls(now_ms):
        question = "Waiting for the result of a tool call that a client has to execute."
    outcome = _outcome(connection, task, now_ms)
    return {
        "id": task.id,
        "orgName": org_name,
        "name": task.name,
        "state": outcome.state,
        "question": question,
        "pullRequests": list(outcome.pull_requests),
        "said": first_line(outcome.words)[:_MAX_LINE],
        "createdAt": stamp(created_ms),
        "tokensUsed": task.used_at(now_ms)[0],
    }


class _Outcome(NamedTuple):
    """The state of a task, its answer or the error that it ended with, and its pull requests."""

    state: str
    words: str
    pull_requests: tuple[JsonObject, ...]


def _outcome(connection: sqlite3.Connection, task: StoredTask, now_ms: int) -> _Outcome:
    row = connection.execute(_LAST_EVENT, (task.seq, now_ms)).fetchone()
    last = json.loads(row[0]) if row else {}
    state = _state(task, last.get("eventBody", {}), now_ms)
    attaching = connection.execute(_ATTACHING, (task.seq,)).fetchall()
    summary = advance(EventSummary(), [*(json.loads(text) for (text,) in attaching), last])
    outputs = {"entities": task.entity_list()}
    status = TaskStatus(TaskRef("", ""), TaskState(state), raw=outputs, summary=summary)
    return _Outcome(
        state,
        summary.words if state in ("done", "failed") else "",
        tuple(
            {"text": each.text, "url": each.url, "merged": each.is_merged}
            for each in pull_requests(status)
        ),
    )


def _state(task: StoredTask, last: JsonObject, now_ms: int) -> str:
    """running, waiting, or how the last turn ended: done, failed, cancelled or stopped."""
    if task.is_running(now_ms):
        return "running"
    if task.is_open(now_ms):
        return "waiting"
    match last.get("type"):
        case "error":
            return "failed"
        case "cancelled":
            return "cancelled"
        case "assistant_message" if last.get("is_final") is True:
            return "done"
    return "stopped"


def _question(connection: sqlite3.Connection, task: StoredTask) -> str:
    query = (
        "SELECT json_extract(document, '$.eventBody.message') FROM events"
        " WHERE task = ? AND json_extract(document, '$.eventBody.id') = ? LIMIT 1"
    )
    row = connection.execute(query, (task.seq, task.approval)).fetchone()
    return str(row[0]) if row else ""


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
