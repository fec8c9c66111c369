"""The live page of `taskctl serve`: one HTML document for every address, without a build step.

Its policy allows its own style and script, by their digests, and requests to its own origin. The
page has no content of its own: its script asks for a token and reads the API with it.
"""

from __future__ import annotations

import json
import sqlite3
from functools import cache

from reconciler.embedded.handlers import ServiceContext
from reconciler.embedded.lifecycle import stamp
from reconciler.embedded.tasks import COLUMNS, StoredTask
from reconciler.embedded.wsgi import ApiRequest, ApiResponse, JsonObject, User, json_response
from reconciler.resources import inline_digests

MAX_TASKS = 200
_VISIBLE = "FROM tasks WHERE creator = ? OR shared = 1"
_LAST_EVENT = (
    "SELECT document FROM events WHERE task = ? AND at_ms <= ?"
    " AND json_extract(document, '$.type') = 'agentResponse' ORDER BY n DESC LIMIT 1"
)


def get_page(_ctx: ServiceContext, _request: ApiRequest) -> ApiResponse:
    document = _document()
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(document))),
        ("Content-Security-Policy", _policy()),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )
    return ApiResponse(200, (document,), headers)


def get_overview(ctx: ServiceContext, request: ApiRequest) -> ApiResponse:
    with ctx.storage.reading() as connection:
        return json_response(200, _overview(connection, request.user, ctx.now_ms()))


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
    row = connection.execute(_LAST_EVENT, (task.seq, now_ms)).fetchone()
    last = json.loads(row[0])["eventBody"] if row else {}
    state = _state(task, last, now_ms)
    question = ""
    if task.open_approval(now_ms):
        question = _question(connection, task)
    elif task.open_tool_calls(now_ms):
        question = "Waiting for the result of a tool call that a client has to execute."
    return {
        "id": task.id,
        "orgName": org_name,
        "name": task.name_at(now_ms),
        "state": state,
        "question": question,
        "createdAt": stamp(created_ms),
        "tokensUsed": task.used_at(now_ms)[0],
    }


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
    from importlib.resources import files

    return files(__package__).joinpath("page.html").read_bytes()


def _policy() -> str:
    digests = inline_digests(_document().decode())
    return (
        f"default-src 'none'; connect-src 'self'; style-src 'sha256-{digests['style']}'; "
        f"script-src 'sha256-{digests['script']}'; img-src data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
