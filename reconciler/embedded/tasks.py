"""A task as stored in the database, and as the API shows it at a given time; pages of tasks and
of events.

The status and token usage of a task follow from its row and the clock. A page starts after the last
task of the previous page, never at an offset, so new tasks neither repeat nor hide other tasks.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import cast

from reconciler.embedded.lifecycle import stamp
from reconciler.embedded.wsgi import ApiError, ApiUser, JsonObject, to_json

UNNAMED = "New task"


@dataclass(slots=True)
class StoredTask:
    """A row of the table `tasks`. `fixed` is JSON text: the members that never change."""

    seq: int
    id: str
    creator: str
    fixed: str
    approval_mode: str
    permission_mode: str
    role: str
    shared: int
    shared_ms: int | None
    entities: str
    name: str
    turn: int
    turn_ms: int
    busy_until: int
    tokens_before: int
    tokens: int
    approval: str

    def is_running(self, now_ms: int) -> bool:
        return now_ms < self.busy_until

    def open_approval(self, now_ms: int) -> str:
        """The id of the approval request that the task is blocked on, or an empty string."""
        return "" if self.is_running(now_ms) else self.approval

    def is_open(self, now_ms: int) -> bool:
        """Whether the current turn is unfinished: running, or waiting for approval."""
        return bool(self.is_running(now_ms) or self.open_approval(now_ms))

    def used_at(self, now_ms: int) -> int:
        """Tokens used. A turn counts once it has ended."""
        return self.tokens_before if self.is_running(now_ms) else self.tokens

    def entity_list(self) -> list[JsonObject]:
        return cast("list[JsonObject]", json.loads(self.entities))

    def document(self, now_ms: int) -> str:
        """The task as an `AgentTask` of the API document, in JSON."""
        running = self.is_running(now_ms)
        members = [
            self.fixed,
            f'"name":{to_json(self.name)}',
            f'"status":"{"running" if running else "idle"}"',
            f'"approvalMode":"{self.approval_mode}"',
            f'"permissionMode":"{self.permission_mode}"',
            f'"isShared":{"true" if self.shared else "false"}',
            f'"entities":{self.entities}',
            f'"tokensUsed":{self.used_at(now_ms)}',
            '"pendingInputCount":0',  # input is never queued here
        ]
        if self.shared_ms is not None:
            members.append(f'"sharedAt":"{stamp(self.shared_ms)}"')
        if self.role:
            role = to_json(self.role)
            members.append(f'"role":{role},"roleName":{role}')
        return "{" + ",".join(members) + "}"


COLUMNS = ", ".join(field.name for field in fields(StoredTask))


def find_task(
    connection: sqlite3.Connection, org_name: str, task_id: str, user: ApiUser
) -> StoredTask | None:
    """The task, if it exists and is visible to the user, as its creator or because it is shared."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM tasks WHERE id = ? AND org = ? AND (creator = ? OR shared = 1)",
        (task_id, org_name, user.id),
    ).fetchone()
    return None if row is None else StoredTask(*row)


MAX_PAGE = 1000
DEFAULT_PAGE = 100
_DIGITS = 18

_ORDER = {"sortBy": "created", "sortDirection": "desc"}
Query = Mapping[str, Sequence[str]]
SqlValue = str | int


def page_of_tasks(
    connection: sqlite3.Connection, org_name: str, user: ApiUser, query: Query, now_ms: int
) -> str:
    """A `ListAgentTasksResponse` of the API document, in JSON. Raises ApiError 400 for an invalid
    value of one of its parameters, and for another order; filters are ignored."""
    size = page_size(query)
    for name, value in _ORDER.items():
        if _single(query, name) not in (None, "", value):
            raise ApiError(400, f"{name}: the embedded service only supports {value}")
    where = "org = ? AND (creator = ? OR shared = 1)"
    values: list[SqlValue] = [org_name, user.id]
    if token := _single(query, "continuationToken"):
        where += " AND (created_ms, seq) < (?, ?)"
        values += _read_token(token, "tasks", 2)
    statement = (
        f"SELECT {COLUMNS}, created_ms FROM tasks WHERE {where}"
        " ORDER BY created_ms DESC, seq DESC LIMIT ?"
    )
    rows = connection.execute(statement, (*values, size + 1)).fetchall()
    page = rows[:size]
    documents = ",".join([StoredTask(*row[:-1]).document(now_ms) for row in page])
    following = ""
    if len(rows) > size:
        following = f',"continuationToken":"tasks-{page[-1][-1]}-{page[-1][0]}"'
    return f'{{"tasks":[{documents}]{following}}}'


def page_of_events(
    connection: sqlite3.Connection, task: StoredTask, query: Query, now_ms: int
) -> str:
    """A `ListAgentTaskEventsResponse` of the API document, in JSON."""
    size = page_size(query)
    token = _single(query, "continuationToken")
    (number,) = _read_token(token, "events", 1) if token else (-1,)
    events = connection.execute(
        "SELECT n, CAST(document AS TEXT) FROM events"
        " WHERE task = ? AND n > ? AND at_ms <= ? ORDER BY n LIMIT ?",
        (task.seq, number, now_ms, size + 1),
    ).fetchall()
    documents = ",".join([document for _, document in events[:size]])
    following = ""
    if len(events) > size:
        following = f',"continuationToken":"events-{events[size - 1][0]}"'
    return f'{{"events":[{documents}]{following}}}'


def page_size(query: Query) -> int:
    given = _single(query, "pageSize")
    if given is None:
        return DEFAULT_PAGE
    if not re.fullmatch(r"[0-9]{1,9}", given) or not 1 <= int(given) <= MAX_PAGE:
        raise ApiError(400, f"pageSize must be between 1 and {MAX_PAGE}")
    return int(given)


def _single(query: Query, name: str) -> str | None:
    values = query.get(name)
    return values[0] if values else None


def _read_token(token: str, kind: str, size: int) -> list[int]:
    """The numbers in a token for the next page of a list. Raises ApiError 400."""
    if not re.fullmatch(kind + rf"(-[0-9]{{1,{_DIGITS}}}){{{size}}}", token):
        raise ApiError(400, "continuationToken is invalid for this list")
    return [int(digits) for digits in token.split("-")[1:]]
