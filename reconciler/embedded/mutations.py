"""Changes to tasks. Every function runs inside a write transaction."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence

from reconciler.embedded.identity import User
from reconciler.embedded.lifecycle import Scenario, Script, Step, Turn, stamp, step
from reconciler.embedded.requests import CreateRequest, PatchRequest, event_document
from reconciler.embedded.tasks import StoredTask
from reconciler.embedded.wsgi import JsonObject, to_json

_INSERT_EVENT = "INSERT INTO events (task, n, at_ms, id, document) VALUES (?, ?, ?, ?, ?)"
_ASYNC_TRIGGERS = {
    "schedule": "scheduled",
    "github": "external_signal",
    "code-review": "external_signal",
}
_Values = dict[str, str | int | None]


def insert_task(
    connection: sqlite3.Connection,
    org_name: str,
    user: User,
    request: CreateRequest,
    scenario: Scenario,
    now_ms: int,
) -> str:
    """Creates a task and starts its first turn. Returns its id."""
    message = event_document(request.message)
    entities = merged([], message)
    modes = (request.approval_mode, request.plan_mode, request.tool_execution_mode)
    turn = Turn(1, message, now_ms, entities, *modes)
    script = scenario(turn)
    task_id = str(uuid.uuid4())
    trigger = _ASYNC_TRIGGERS.get(request.source)
    values: _Values = {
        "id": task_id,
        "org": org_name,
        "creator": user.id,
        "created_ms": now_ms,
        "fixed": _fixed_members(task_id, user, request, trigger, now_ms),
        "task_type": "async" if trigger else "sync",
        "source": request.source,
        "agent_definition": request.agent_definition_id,
        "approval_mode": request.approval_mode,
        "permission_mode": request.permission_mode,
        "role": request.role,
        "entities": to_json(entities),
        "auto_name": script.title,
        "named_ms": script.named_ms,
        "turn": 1,
        "turn_ms": now_ms,
        **_script_values(script, 0, 0),
    }
    marks = ", ".join(f":{column}" for column in values)
    statement = f"INSERT INTO tasks ({', '.join(values)}) VALUES ({marks})"
    seq = connection.execute(statement, values).lastrowid or 0
    _add_events(connection, seq, 0, user, message, now_ms, script.steps)
    return task_id


def start_turn(
    connection: sqlite3.Connection,
    task: StoredTask,
    user: User,
    event: JsonObject,
    scenario: Scenario,
    now_ms: int,
) -> None:
    """Starts another turn of an idle task with a user event."""
    now = max(now_ms, task.turn_ms)  # a clock that was set back must not reorder events
    entities = merged(task.entity_list(), event)
    mode = task.tool_execution_mode()
    turn = Turn(task.turn + 1, event, now, entities, task.approval_mode, tool_execution_mode=mode)
    script = scenario(turn)
    tokens, context = task.used_at(now)
    values: _Values = {"entities": to_json(entities), "turn": turn.number, "turn_ms": now}
    _update(connection, task, values | _script_values(script, tokens, context))
    first = _next_number(connection, task)
    _add_events(connection, task.seq, first, user, event, now, script.steps)


def record_event(
    connection: sqlite3.Connection,
    task: StoredTask,
    user: User,
    event: JsonObject,
    now_ms: int,
    *,
    reply: JsonObject | None = None,
    tool_calls: Sequence[str] | None = None,
) -> None:
    """Records a user event that starts no turn, and the agent's `reply`. `tool_calls` replaces the
    open tool calls."""
    now = max(now_ms, task.turn_ms, task.busy_until)
    if tool_calls is not None:
        _update(connection, task, {"tool_calls": to_json(list(tool_calls))})
    replies = () if reply is None else (step(now, reply),)
    first = _next_number(connection, task)
    _add_events(connection, task.seq, first, user, event, now, replies)


def end_turn(
    connection: sqlite3.Connection,
    task: StoredTask,
    user: User,
    event: JsonObject | None,
    now_ms: int,
) -> None:
    """Cancels the current turn: the rest of its script never becomes visible.

    `event` is the `user_cancel` event, or None for a forced cancel.
    """
    now = max(now_ms, task.turn_ms)
    running = task.is_running(now)
    connection.execute("DELETE FROM events WHERE task = ? AND at_ms > ?", (task.seq, now))
    tokens, context = task.used_at(now)
    if running:
        tokens += _share(task.tokens - task.tokens_before, task, now)
        context += _share(task.context - task.context_before, task, now)
    values: _Values = {"turn_ms": task.turn_ms if running else now}
    _update(connection, task, values | _script_values(Script((), now, 0, 0), tokens, context))
    ending = step(now, {"type": "cancelled", "operation_was_running": running})
    first = _next_number(connection, task)
    _add_events(connection, task.seq, first, user, event, now, (ending,))


def update_settings(
    connection: sqlite3.Connection, task: StoredTask, change: PatchRequest, now_ms: int
) -> None:
    values: _Values = dict(change.changes())
    if change.shared and task.shared_ms is None:
        values["shared_ms"] = now_ms
    if values:
        _update(connection, task, values)


def _update(connection: sqlite3.Connection, task: StoredTask, values: _Values) -> None:
    changes = ", ".join(f"{column} = :{column}" for column in values)
    connection.execute(f"UPDATE tasks SET {changes} WHERE seq = :seq", {**values, "seq": task.seq})


def merged(entities: Sequence[JsonObject], event: JsonObject) -> list[JsonObject]:
    """The entities after the `entity_diff` of an event, without duplicates."""
    diff = event.get("entity_diff")
    if not isinstance(diff, dict):
        return list(entities)
    kept = [entity for entity in entities if entity not in diff.get("remove", ())]
    for entity in diff.get("add", ()):
        if entity not in kept:
            kept.append(entity)
    return kept


def _script_values(script: Script, tokens: int, context: int) -> _Values:
    """The columns that a script sets, given the tokens used before it."""
    return {
        "busy_until": script.busy_until_ms,
        "tokens_before": tokens,
        "tokens": tokens + script.tokens,
        "context_before": context,
        "context": context + script.context_tokens,
        "approval": script.approval,
        "tool_calls": to_json(list(script.tool_calls)),
    }


def _fixed_members(
    task_id: str, user: User, request: CreateRequest, trigger: str | None, now_ms: int
) -> str:
    """The members of the task's JSON that never change, as text without the braces."""
    members: JsonObject = {
        "id": task_id,
        "createdAt": stamp(now_ms),
        "createdBy": user.info(),
        "planMode": request.plan_mode,
        "source": request.source,
        "taskType": "async" if trigger else "sync",
        "toolExecutionMode": request.tool_execution_mode,
    }
    if trigger:
        members["asyncTriggerType"] = trigger
    if request.agent_definition_id:
        members["agentDefinitionId"] = request.agent_definition_id
    return to_json(members)[1:-1]


def _share(amount: int, task: StoredTask, now_ms: int) -> int:
    """The part of `amount` that a cancelled turn has used so far."""
    return amount * (now_ms - task.turn_ms) // (task.busy_until - task.turn_ms)


def _next_number(connection: sqlite3.Connection, task: StoredTask) -> int:
    query = "SELECT max(n) FROM events WHERE task = ?"
    return int(connection.execute(query, (task.seq,)).fetchone()[0]) + 1


def _add_events(
    connection: sqlite3.Connection,
    seq: int,
    first: int,
    user: User,
    event: JsonObject | None,
    now_ms: int,
    steps: Sequence[Step],
) -> None:
    """Appends a user event of this moment and the agent's events, numbered from `first`."""
    timed: list[tuple[int, JsonObject]] = []
    if event is not None:
        timed.append((now_ms, {"type": "userInput", "eventBody": event, "actor": user.info()}))
    for one in steps:
        kind = "userInput" if one.is_user_input else "agentResponse"
        synthetic: JsonObject = {"isSynthetic": True} if one.is_user_input else {}
        timed.append((one.at_ms, {"type": kind, "eventBody": one.body, **synthetic}))
    rows: list[tuple[int, int, int, str, str]] = []
    for number, (at_ms, fields) in enumerate(timed, start=first):
        event_id = str(uuid.uuid4())
        text = to_json({"id": event_id, "isSynthetic": False, **fields})
        rows.append((seq, number, at_ms, event_id, text))
    connection.executemany(_INSERT_EVENT, rows)
