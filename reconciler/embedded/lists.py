"""Pages of an organization's tasks, in five orders, and of a task's events.

A page starts after the last row of the previous page (its sort key and number), never at an offset,
so new tasks neither repeat nor hide other tasks. The token also contains the time at which the
first page was sorted, so the passing of time does not change the order between two pages.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence

from reconciler.embedded.tasks import (
    COLUMNS,
    LAST_EVENT_AT,
    STATUS_AT,
    TOKENS_AT,
    StoredTask,
)
from reconciler.embedded.wsgi import ApiError, User

MAX_PAGE = 1000
DEFAULT_PAGE = 100
_DIGITS = 18

_KEYS = {
    "lastEvent": LAST_EVENT_AT,
    "created": "created_ms",
    "status": STATUS_AT,
    "name": "lower(name)",
    "tokensUsed": TOKENS_AT,
}
_DIRECTIONS = {"asc": ">", "desc": "<"}
Query = Mapping[str, Sequence[str]]
SqlValue = str | int


def page_of_tasks(
    connection: sqlite3.Connection, org_name: str, user: User, query: Query, now_ms: int
) -> str:
    """A `ListAgentTasksResponse` of the API document, in JSON. Raises ApiError 400 for an invalid
    value of one of its parameters; others, such as newer filters, are ignored."""
    size = page_size(query)
    sort_by = _one_of(query, "sortBy", tuple(_KEYS)) or "lastEvent"
    direction = _one_of(query, "sortDirection", tuple(_DIRECTIONS)) or "desc"
    key, sorted_at = _KEYS[sort_by], now_ms
    where = ["org = :org", "(creator = :user OR shared = 1)"]
    values: dict[str, SqlValue] = {}
    if task_type := _one_of(query, "taskType", ("sync", "async")):
        where.append("task_type = :type")
        values["type"] = task_type
    if token := _single(query, "continuationToken"):
        last_key, last_seq, sorted_at = _read_token(token, sort_by, direction)
        where.append(f"({key}, seq) {_DIRECTIONS[direction]} (:key, :seq)")
        values.update(key=last_key, seq=last_seq)
    values.update(org=org_name, user=user.id, now=sorted_at, limit=size + 1)
    statement = (
        f"SELECT {COLUMNS}, {key} FROM tasks WHERE {' AND '.join(where)}"
        f" ORDER BY {key} {direction}, seq {direction} LIMIT :limit"
    )
    rows = connection.execute(statement, values).fetchall()
    page = rows[:size]
    documents = ",".join([StoredTask(*row[:-1]).document(now_ms) for row in page])
    following = ""
    if len(rows) > size:
        token = _encode([sort_by, direction, page[-1][-1], page[-1][0], sorted_at])
        following = f',"continuationToken":"{token}"'
    return f'{{"tasks":[{documents}]{following}}}'


def page_of_events(
    connection: sqlite3.Connection, task: StoredTask, query: Query, now_ms: int
) -> str:
    """A `ListAgentTaskEventsResponse` of the API document, in JSON."""
    size = page_size(query)
    token = _single(query, "continuationToken")
    number = _read_event_token(token) if token else -1
    events = connection.execute(
        "SELECT n, document FROM events WHERE task = ? AND n > ? AND at_ms <= ? ORDER BY n LIMIT ?",
        (task.seq, number, now_ms, size + 1),
    ).fetchall()
    documents = ",".join([document for _, document in events[:size]])
    following = ""
    if len(events) > size:
        following = f',"continuationToken":"{_encode(["events", events[size - 1][0]])}"'
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


def _one_of(query: Query, name: str, allowed: Sequence[str]) -> str | None:
    """A parameter, if it is not empty."""
    value = _single(query, name)
    if value and value not in allowed:
        raise ApiError(400, f"{name}: {value!r} is not one of {', '.join(allowed)}")
    return value or None


def _read_token(token: str, sort_by: str, direction: str) -> tuple[SqlValue, int, int]:
    """The sort key and number of the last row, and the time at which the list was sorted."""
    match _decode(token):
        case [by, way, (str() | int()) as key, int(seq), int(now_ms)] if (by, way) == (
            sort_by,
            direction,
        ):
            return key, seq, now_ms
        case _:
            raise _bad_token()


def _read_event_token(token: str) -> int:
    match _decode(token):
        case ["events", int(number)]:
            return number
        case _:
            raise _bad_token()


def _encode(parts: list[SqlValue]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decode(token: str) -> object:
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True)
        return json.loads(text, parse_int=_sql_integer)
    except (ValueError, binascii.Error, RecursionError):
        raise _bad_token() from None


def _sql_integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(digits)
    return int(digits)


def _bad_token() -> ApiError:
    return ApiError(400, "continuationToken is invalid for this list")
