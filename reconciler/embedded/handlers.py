"""One function per operation of the API document.

Every organization name exists, and every caller is a member of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event, Semaphore
from typing import TypeVar, cast

from reconciler.embedded import lists, requests
from reconciler.embedded.budget import refuse_over_budget, stored_budget, used_tokens
from reconciler.embedded.lifecycle import Scenario, milliseconds, stamp
from reconciler.embedded.mutations import TaskWriter
from reconciler.embedded.sse import EventBatch, EventFeed
from reconciler.embedded.storage import Storage
from reconciler.embedded.tasks import StoredTask, find_task
from reconciler.embedded.wsgi import (
    ApiError,
    ApiRequest,
    ApiResponse,
    JsonObject,
    json_response,
    text_response,
)

DEFAULT_ORG = "local"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """What the handlers of one service share: its database, clock, scenario, and options (see
    `App`)."""

    storage: Storage
    now: Callable[[], datetime]
    scenario: Scenario
    streams_end: bool
    heartbeat_seconds: float
    stopping: Event
    stream_slots: Semaphore
    token_file: Path | None

    def now_ms(self) -> int:
        return milliseconds(self.now())


def create_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    new = requests.create_request(request.body(), stamp(service.now_ms()))

    def work(writer: TaskWriter) -> str:
        refuse_over_budget(writer.connection, request.org_name, writer.now_ms)
        return writer.insert_task(request.org_name, new)

    return json_response(201, {"taskId": _write(service, request, work)})


def list_tasks(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    with service.storage.reading() as connection:
        page = lists.page_of_tasks(
            connection, request.org_name, request.user, request.query(), service.now_ms()
        )
    return text_response(200, page)


def get_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    with service.storage.reading() as connection:
        task = get_visible(connection, request)
    return text_response(200, task.document(service.now_ms()))


def update_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    change = requests.converted(request.body(), requests.PatchRequest)

    def work(writer: TaskWriter) -> str:
        task = _get_own(writer.connection, request)
        writer.update_settings(task, change)
        return get_visible(writer.connection, request).document(writer.now_ms)

    return text_response(200, _write(service, request, work))


def respond_to_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    event = requests.respond_request(request.body(), stamp(service.now_ms()))

    def work(writer: TaskWriter) -> None:
        task = _get_own(writer.connection, request)
        if isinstance(event, requests.UserCancel):
            writer.end_turn(task, requests.event_document(event))
        elif task.is_running(writer.now_ms):
            raise ApiError(409, "cannot respond while a request is still ongoing")
        else:
            _respond(writer, task, event)

    _write(service, request, work)
    return ApiResponse(202, headers=(("Content-Length", "0"),))


def cancel_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    requests.check_cancel(request.body())

    def work(writer: TaskWriter) -> None:
        task = _get_own(writer.connection, request)
        if task.is_open(writer.now_ms):
            writer.end_turn(task, None)

    _write(service, request, work)
    return ApiResponse(204)


def list_events(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    with service.storage.reading() as connection:
        task = get_visible(connection, request)
        page = lists.page_of_events(connection, task, request.query(), service.now_ms())
    return text_response(200, page)


def stream_events(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    """All events so far at once, then new ones as they happen.

    With `streams_end`, the stream ends once the task is idle and waits for no client. Without it,
    the stream stays open, as it does at Pulumi Cloud.
    """
    last_id = request.environ.get("HTTP_LAST_EVENT_ID")
    with service.storage.reading() as connection:
        task = get_visible(connection, request)
        after = lists.event_number(connection, task, last_id) if last_id else -1

    def poll(number: int, limit: int) -> EventBatch:
        with service.storage.reading() as connection:
            now = service.now_ms()
            seen = find_task(connection, request.org_name, request.task_id, request.user)
            if seen is None:
                return EventBatch([], is_last=True)
            events = lists.events_after(connection, seen, number, now, limit)
            return EventBatch(events, is_last=service.streams_end and not seen.is_open(now))

    gone = request.environ.get("waitress.client_disconnected")
    stream = EventFeed(
        poll,
        after=after,
        slots=service.stream_slots,
        stopping=service.stopping,
        is_gone=cast("Callable[[], bool]", gone) if callable(gone) else lambda: False,
        heartbeat_seconds=service.heartbeat_seconds,
    )
    headers = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"))
    return ApiResponse(200, stream, headers)


def get_token_budget(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    task_id = request.query().get("taskId", [""])[0]
    with service.storage.reading() as connection:
        budget, now = stored_budget(connection), service.now_ms()
        if budget is None:
            raise ApiError(404, "Not Found: no Neo token limit applies to this organization")
        if task_id and find_task(connection, request.org_name, task_id, request.user) is None:
            raise ApiError(404, "Not Found: no such task in this organization")
        used = used_tokens(connection, request.org_name, now)
    return json_response(200, budget.document(used))


def get_user(_ctx: ServiceContext, request: ApiRequest) -> ApiResponse:
    """`User` of the API document, a member of the default organization."""
    user = request.user
    name = {"name": DEFAULT_ORG, "githubLogin": DEFAULT_ORG, "avatarUrl": ""}
    profile: JsonObject = {
        "id": user.id,
        **user.info(),
        "email": "",
        "hasMFA": False,
        "identities": [],
        "isManagedByMultiOrg": False,
        "isOrgManaged": False,
        "organizations": [{**name, "role": "member"}],
        "tokenInfo": {"name": user.login, "organization": "", "team": ""},
    }
    return json_response(200, profile)


def get_default_organization(_ctx: ServiceContext, _request: ApiRequest) -> ApiResponse:
    return json_response(200, {"GitHubLogin": DEFAULT_ORG, "Messages": []})


def get_capabilities(_ctx: ServiceContext, _request: ApiRequest) -> ApiResponse:
    """Pulumi's CLI asks for the optional features of a service; there are none here."""
    return json_response(200, {"capabilities": []})


def _write(service: ServiceContext, request: ApiRequest, work: Callable[[TaskWriter], T]) -> T:
    return service.storage.write(
        lambda connection: work(
            TaskWriter(connection, request.user, service.scenario, service.now_ms())
        )
    )


def get_visible(connection: sqlite3.Connection, request: ApiRequest) -> StoredTask:
    """The task of a request. Raises ApiError 404 unless the user may see it."""
    task = find_task(connection, request.org_name, request.task_id, request.user)
    if task is None:
        raise _not_found(request)
    return task


def _get_own(connection: sqlite3.Connection, request: ApiRequest) -> StoredTask:
    """A task that the user may change or send to: others can only read a shared task."""
    task = get_visible(connection, request)
    if task.creator != request.user.id:
        raise _not_found(request)
    return task


def _not_found(request: ApiRequest) -> ApiError:
    return ApiError(404, f"Not Found: task '{request.task_id}'")


def _respond(writer: TaskWriter, task: StoredTask, event: requests.Event) -> None:
    """Starts a turn of an idle task with `event`, or only records it if the agent still waits.

    Raises ApiError if the task cannot accept the event now: a confirmation must name the open
    approval request, and a tool result must name open tool calls.
    """
    approval = task.open_approval(writer.now_ms)
    calls = task.open_tool_calls(writer.now_ms)
    body = requests.event_document(event)
    reply: JsonObject | None = None
    missing: list[str] | None = None
    match event:
        case requests.UserMessage():
            if calls:
                raise ApiError(409, "cannot respond while a tool call is pending")
            if approval:
                reply = {"type": "awaiting_approvals"}
        case requests.UserConfirmation():
            if event.approval_request_id != approval:
                raise ApiError(400, "approval_request_id does not match a pending approval request")
        case requests.ToolCallStarted():
            _check_calls([event.tool_call_id], calls)
            reply = {name: body[name] for name in ("type", "tool_call_id", "name")}
        case requests.ToolResults():
            given = [result.tool_call_id for result in event.tool_results]
            _check_calls(given, calls)
            missing = [call for call in calls if call not in given]
    if reply or missing:
        writer.record_event(task, body, reply=reply, tool_calls=missing)
    else:
        writer.start_turn(task, body)


def _check_calls(given: Sequence[str], pending: Sequence[str]) -> None:
    if not set(given) <= set(pending):
        raise ApiError(400, "tool_call_id does not match a pending tool call")
