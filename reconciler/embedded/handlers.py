"""One function per operation of the API document.

Every organization name exists, and every caller is a member of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from reconciler.embedded import requests, tasks
from reconciler.embedded.lifecycle import Scenario, milliseconds, stamp
from reconciler.embedded.mutations import TaskWriter
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
    """Values that the handlers of a service share."""

    storage: Storage
    now: Callable[[], datetime]
    scenario: Scenario

    def now_ms(self) -> int:
        return milliseconds(self.now())


def create_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    new = requests.create_request(request.body(), stamp(service.now_ms()))

    def work(writer: TaskWriter) -> str:
        return writer.insert_task(request.org_name, new)

    return json_response(201, {"taskId": _write(service, request, work)})


def list_tasks(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    with service.storage.reading() as connection:
        page = tasks.page_of_tasks(
            connection, request.org_name, request.user, request.query(), service.now_ms()
        )
    return text_response(200, page)


def get_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    with service.storage.reading() as connection:
        task = _get_visible(connection, request)
    return text_response(200, task.document(service.now_ms()))


def update_task(service: ServiceContext, request: ApiRequest) -> ApiResponse:
    change = requests.converted(request.body(), requests.PatchRequest)

    def work(writer: TaskWriter) -> str:
        task = _get_own(writer.connection, request)
        writer.update_settings(task, change)
        return _get_visible(writer.connection, request).document(writer.now_ms)

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
        task = _get_visible(connection, request)
        page = tasks.page_of_events(connection, task, request.query(), service.now_ms())
    return text_response(200, page)


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


def _write(service: ServiceContext, request: ApiRequest, work: Callable[[TaskWriter], T]) -> T:
    return service.storage.write(
        lambda connection: work(
            TaskWriter(connection, request.user, service.scenario, service.now_ms())
        )
    )


def _get_visible(connection: sqlite3.Connection, request: ApiRequest) -> StoredTask:
    """The task of a request. Raises ApiError 404 unless the user may see it."""
    task = find_task(connection, request.org_name, request.task_id, request.user)
    if task is None:
        raise _not_found(request)
    return task


def _get_own(connection: sqlite3.Connection, request: ApiRequest) -> StoredTask:
    """A task that the user may change or send to: others can only read a shared task."""
    task = _get_visible(connection, request)
    if task.creator != request.user.id:
        raise _not_found(request)
    return task


def _not_found(request: ApiRequest) -> ApiError:
    return ApiError(404, f"Not Found: task '{request.task_id}'")


def _respond(writer: TaskWriter, task: StoredTask, event: requests.Event) -> None:
    """Starts a turn of an idle task with `event`, or only records it if the agent still waits.

    Raises ApiError 400 for a confirmation that does not name the open approval request.
    """
    approval, body = task.open_approval(writer.now_ms), requests.event_document(event)
    if isinstance(event, requests.UserConfirmation):
        if event.approval_request_id != approval:
            raise ApiError(400, "approval_request_id does not match a pending approval request")
    elif approval:
        writer.record_message(task, body)
        return
    writer.start_turn(task, body)
