"""Pages of an organization's tasks, the newest first, and of a task's events.

A page starts after the last row of the previous page, never at an offset, so new tasks neither
repeat nor hide other tasks.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sqlite3
from collections.abc import Mapping, Sequence

from reconciler.embedded.tasks import COLUMNS, StoredTask
from reconciler.embedded.wsgi import ApiError, User

MAX_PAGE = 1000
DEFAULT_PAGE = 100
_DIGITS = 18

_ORDER = {"sortBy": "created", "sortDirection": "desc"}
Query = Mapping[str, Sequence[str]]
SqlValue = str | int


def page_of_tasks(
    connection: sqlite3.Connection, org_name: str, user: User, query: Query, now_ms: int
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
        following = f',"continuationToken":"{_encode(["tasks", page[-1][-1], page[-1][0]])}"'
    return f'{{"tasks":[{documents}]{following}}}'


def page_of_events(
    connection: sqlite3.Connection, task: StoredTask, query: Query, now_ms: int
) -> str:
    """A `ListAgentTaskEventsResponse` of the API document, in JSON."""
    size = page_size(query)
    token = _single(query, "continuationToken")
    (number,) = _read_token(token, "events", 1) if token else (-1,)
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


def _read_token(token: str, kind: str, size: int) -> list[int]:
    """The numbers in a token for the next page of a list. Raises ApiError 400."""
    decoded = _decode(token)
    given = decoded[1:] if isinstance(decoded, list) and decoded[:1] == [kind] else []
    numbers = [number for number in given if type(number) is int]
    if len(numbers) == len(given) == size:
        return numbers
    raise ApiError(400, "continuationToken is invalid for this list")


def _encode(parts: list[SqlValue]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decode(token: str) -> object:
    try:
        padded = token + "=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True)
        return json.loads(text, parse_int=_sql_integer)
    except (ValueError, binascii.Error, RecursionError):
        return None


def _sql_integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(digits)
    return int(digits)
