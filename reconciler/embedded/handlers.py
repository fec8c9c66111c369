"""One function for each operation of the API document.

Any name of an organization is taken as that of one which exists and the caller is a member of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import cast

from reconciler.embedded import lists, mutations, validation
from reconciler.embedded.budget import kept_budget, refuse_over_budget, used_tokens
from reconciler.embedded.context import Context
from reconciler.embedded.identity import profile
from reconciler.embedded.redaction import redacted
from reconciler.embedded.routes import route
from reconciler.embedded.sse import EventStream, News
from reconciler.embedded.tasks import Task, find
from reconciler.embedded.wsgi import (
    ApiError,
    JsonObject,
    Request,
    Response,
    json_response,
    text_response,
)


def create_task(context: Context, request: Request) -> Response:
    new = validation.create_request(request.body())
    _redact(context, new.message)

    def work(connection: sqlite3.Connection) -> str:
        now = context.now_ms()
        refuse_over_budget(connection, request.org_name, now)
        return mutations.create(connection, request.org_name, request.user, new, context.life, now)

    return json_response(201, {"taskId": context.storage.write(work)})


def list_tasks(context: Context, request: Request) -> Response:
    wanted = lists.list_query(request.query())
    with context.storage.reading() as connection:
        page = lists.page_of_tasks(
            connection, request.org_name, request.user, wanted, context.now_ms()
        )
    return text_response(200, page)


def get_task(context: Context, request: Request) -> Response:
    with context.storage.reading() as connection:
        task = _visible(connection, request)
    return text_response(200, task.document(context.now_ms()))


def update_task(context: Context, request: Request) -> Response:
    change = validation.patch_request(request.body())

    def work(connection: sqlite3.Connection) -> str:
        task = _visible(connection, request)
        if task.creator != request.user.id:
            raise _not_found(request)
        now = context.now_ms()
        mutations.patch(connection, task, change, now)
        return _visible(connection, request).document(now)

    return text_response(200, context.storage.write(work))


def respond_to_task(context: Context, request: Request) -> Response:
    event = validation.respond_request(request.body())
    _redact(context, event)

    def work(connection: sqlite3.Connection) -> None:
        task, now = _visible(connection, request), context.now_ms()
        if event["type"] == "user_cancel":
            mutations.cancel(connection, task, request.user, event, now)
            return
        _check_turn(task, event, now)
        mutations.begin(connection, task, request.user, event, context.life, now)

    context.storage.write(work)
    return Response(202, headers=(("Content-Length", "0"),))


def cancel_task(context: Context, request: Request) -> Response:
    validation.cancel_request(request.body())

    def work(connection: sqlite3.Connection) -> None:
        task, now = _visible(connection, request), context.now_ms()
        if task.is_running(now) or task.waits_for(now):
            mutations.cancel(connection, task, request.user, None, now)

    context.storage.write(work)
    return Response(204)


def list_events(context: Context, request: Request) -> Response:
    with context.storage.reading() as connection:
        task = _visible(connection, request)
        page = lists.page_of_events(connection, task, request.query(), context.now_ms())
    return text_response(200, page)


def stream_events(context: Context, request: Request) -> Response:
    """What happened so far at once, then what happens until the task has nothing left to do."""
    last_id = request.header("Last-Event-ID")
    with context.storage.reading() as connection:
        task = _visible(connection, request)
        after = lists.event_number(connection, task, last_id) if last_id else -1

    def look(number: int, limit: int) -> News:
        with context.storage.reading() as connection:
            now = context.now_ms()
            seen = find(connection, request.org_name, request.task_id, request.user)
            if seen is None:
                return News([], is_over=True)
            events = lists.events_after(connection, seen, number, now, limit)
            return News(events, is_over=not (seen.is_running(now) or seen.waits_for(now)))

    gone = request.environ.get("waitress.client_disconnected")
    stream = EventStream(
        look,
        after=after,
        places=context.stream_places,
        stopping=context.stopping,
        is_gone=cast("Callable[[], bool]", gone) if callable(gone) else lambda: False,
    )
    headers = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"))
    return Response(200, stream, headers)


def get_token_budget(context: Context, request: Request) -> Response:
    task_id = request.query().get("taskId", [""])[0]
    with context.storage.reading() as connection:
        budget, now = kept_budget(connection), context.now_ms()
        if budget is None:
            raise ApiError(404, "Not Found: no Neo token cap applies to this organization")
        if task_id and find(connection, request.org_name, task_id, request.user) is None:
            raise ApiError(404, "Not Found: taskId is no task of this organization")
        used = used_tokens(connection, budget, request.org_name, now)
    return json_response(200, budget.document(used, now))


def get_user(context: Context, request: Request) -> Response:
    return json_response(200, profile(request.user, context.default_org))


def get_default_organization(context: Context, _request: Request) -> Response:
    return json_response(200, {"GitHubLogin": context.default_org, "Messages": []})


_TASKS = "/api/preview/agents/{orgName}/tasks"
ROUTES = (
    route(_TASKS, GET=list_tasks, POST=create_task),
    route(_TASKS + "/{taskID}", GET=get_task, PATCH=update_task, POST=respond_to_task),
    route(_TASKS + "/{taskID}/cancel", POST=cancel_task),
    route(_TASKS + "/{taskID}/events", GET=list_events),
    route(_TASKS + "/{taskID}/events/stream", GET=stream_events),
    route("/api/orgs/{orgName}/neo/token-budget", GET=get_token_budget),
    route("/api/user", GET=get_user),
    route("/api/user/organizations/default", GET=get_default_organization),
)


def _visible(connection: sqlite3.Connection, request: Request) -> Task:
    task = find(connection, request.org_name, request.task_id, request.user)
    if task is None:
        raise _not_found(request)
    return task


def _not_found(request: Request) -> ApiError:
    return ApiError(404, f"Not Found: task '{request.task_id}'")


def _check_turn(task: Task, event: JsonObject, now_ms: int) -> None:
    """ApiError where the task cannot take `event` now: a message needs an idle task, a
    confirmation the request that it answers."""
    waits_for = task.waits_for(now_ms)
    if event["type"] == "user_message":
        if task.is_running(now_ms) or waits_for:
            raise ApiError(409, "cannot respond while a request is still ongoing")
        return
    if task.is_running(now_ms):
        raise ApiError(409, "cannot respond while a request is still ongoing")
    if event["approval_request_id"] != waits_for:
        raise ApiError(400, "approval_request_id is not that of a request that waits for an answer")


def _redact(context: Context, event: JsonObject) -> None:
    content = event.get("content")
    if context.redacts and isinstance(content, str):
        event["content"] = redacted(content)
