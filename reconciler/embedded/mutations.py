"""What changes a task: its creation, a further turn, a cancel, a patch. Each runs in a write."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence

from reconciler.embedded.lifecycle import Life, Step, Turn, cancelled, stamp
from reconciler.embedded.tasks import Task
from reconciler.embedded.user import User
from reconciler.embedded.validation import NewTask, TaskChange
from reconciler.embedded.wsgi import JsonObject, to_json

_INSERT_TASK = """
INSERT INTO tasks (
    id, org, creator, created_ms, fixed, task_type, source, agent_definition, approval_mode,
    permission_mode, role, entities, auto_name, named_ms, turn, turn_ms, busy_until, tokens,
    context, awaits
) VALUES (
    :id, :org, :creator, :now, :fixed, :task_type, :source, :agent_definition, :approval_mode,
    :permission_mode, :role, :entities, :auto_name, :named_ms, 1, :now, :busy_until, :tokens,
    :context, :awaits
)
"""
_INSERT_EVENT = "INSERT INTO events (task, n, at_ms, id, document) VALUES (?, ?, ?, ?, ?)"
_UPDATE_TURN = """
UPDATE tasks SET
    entities = :entities, turn = :turn, turn_ms = :now, busy_until = :busy_until,
    tokens_before = :tokens_before, tokens = :tokens, context_before = :context_before,
    context = :context, awaits = :awaits
WHERE seq = :seq
"""
_UPDATE_SETTINGS = """
UPDATE tasks SET
    name = coalesce(:name, name), approval_mode = coalesce(:approval_mode, approval_mode),
    permission_mode = coalesce(:permission_mode, permission_mode), role = coalesce(:role, role),
    shared = coalesce(:shared, shared),
    shared_ms = CASE WHEN :shared = 1 THEN coalesce(shared_ms, :now) ELSE shared_ms END
WHERE seq = :seq
"""
_ASYNC_TRIGGERS = {
    "schedule": "scheduled",
    "github": "external_signal",
    "code-review": "external_signal",
}


def create(
    connection: sqlite3.Connection, org_name: str, user: User, new: NewTask, life: Life, now_ms: int
) -> str:
    """A new task, at work on its first message; its id."""
    entities = merged([], new.message)
    script = life(Turn(1, new.message, now_ms, entities, new.approval_mode, new.plan_mode))
    task_id = str(uuid.uuid4())
    trigger = _ASYNC_TRIGGERS.get(new.source)
    values: dict[str, str | int] = {
        "id": task_id,
        "org": org_name,
        "creator": user.id,
        "now": now_ms,
        "fixed": _fixed_members(task_id, user, new, trigger, now_ms),
        "task_type": "async" if trigger else "sync",
        "source": new.source,
        "agent_definition": new.agent_definition_id,
        "approval_mode": new.approval_mode,
        "permission_mode": new.permission_mode,
        "role": new.role,
        "entities": to_json(entities),
        "auto_name": script.title,
        "named_ms": script.named_ms,
        "busy_until": script.busy_until_ms,
        "tokens": script.tokens,
        "context": script.context_tokens,
        "awaits": script.awaits,
    }
    seq = connection.execute(_INSERT_TASK, values).lastrowid or 0
    _add_events(connection, seq, 0, _user_input(new.message, user), now_ms, script.steps)
    return task_id


def begin(
    connection: sqlite3.Connection, task: Task, user: User, event: JsonObject, life: Life, now: int
) -> None:
    """A further turn of an idle task, begun by `event`."""
    now = max(now, task.turn_ms)  # a clock that was set back must not reorder events
    entities = merged(task.entity_list(), event)
    turn = Turn(task.turn + 1, event, now, entities, task.approval_mode)
    script = life(turn)
    tokens, context = task.used_at(now)
    values: dict[str, str | int] = {
        "seq": task.seq,
        "now": now,
        "entities": to_json(entities),
        "turn": turn.number,
        "busy_until": script.busy_until_ms,
        "tokens_before": tokens,
        "tokens": tokens + script.tokens,
        "context_before": context,
        "context": context + script.context_tokens,
        "awaits": script.awaits,
    }
    connection.execute(_UPDATE_TURN, values)
    first = _next_number(connection, task)
    _add_events(connection, task.seq, first, _user_input(event, user), now, script.steps)


def cancel(
    connection: sqlite3.Connection, task: Task, user: User, event: JsonObject | None, now: int
) -> None:
    """Ends a turn where it is: what it would still have done never happens.

    `event` is the user's `user_cancel`, None for a cancel by force.
    """
    now = max(now, task.turn_ms)
    running = task.is_running(now)
    connection.execute("DELETE FROM events WHERE task = ? AND at_ms > ?", (task.seq, now))
    tokens, context = task.used_at(now)
    if running:
        tokens += _share(task.tokens - task.tokens_before, task, now)
        context += _share(task.context - task.context_before, task, now)
    values: dict[str, str | int] = {
        "seq": task.seq,
        "now": task.turn_ms if running else now,
        "entities": task.entities,
        "turn": task.turn,
        "busy_until": now,
        "tokens_before": tokens,
        "tokens": tokens,
        "context_before": context,
        "context": context,
        "awaits": "",
    }
    connection.execute(_UPDATE_TURN, values)
    said = None if event is None else _user_input(event, user)
    ending = (cancelled(now, was_running=running),)
    _add_events(connection, task.seq, _next_number(connection, task), said, now, ending)


def patch(connection: sqlite3.Connection, task: Task, change: TaskChange, now_ms: int) -> None:
    values: dict[str, str | int | None] = {
        "seq": task.seq,
        "now": now_ms,
        "name": change.name,
        "approval_mode": change.approval_mode,
        "permission_mode": change.permission_mode,
        "role": change.role,
        "shared": change.is_shared,
    }
    connection.execute(_UPDATE_SETTINGS, values)


def merged(entities: Sequence[JsonObject], event: JsonObject) -> list[JsonObject]:
    """The entities after an event's `entity_diff`, each once."""
    diff = event.get("entity_diff")
    if not isinstance(diff, dict):
        return list(entities)
    kept = [entity for entity in entities if entity not in diff.get("remove", ())]
    for entity in diff.get("add", ()):
        if entity not in kept:
            kept.append(entity)
    return kept


def _fixed_members(task_id: str, user: User, new: NewTask, trigger: str | None, now_ms: int) -> str:
    """The members of the task's JSON that never change, as text without the braces."""
    members: JsonObject = {
        "id": task_id,
        "createdAt": stamp(now_ms),
        "createdBy": user.info(),
        "planMode": new.plan_mode,
        "source": new.source,
        "taskType": "async" if trigger else "sync",
        "toolExecutionMode": new.tool_execution_mode,
    }
    if trigger:
        members["asyncTriggerType"] = trigger
    if new.agent_definition_id:
        members["agentDefinitionId"] = new.agent_definition_id
    return to_json(members)[1:-1]


def _share(amount: int, task: Task, now_ms: int) -> int:
    """What a turn that is cut off has used of its whole `amount`."""
    return amount * (now_ms - task.turn_ms) // (task.busy_until - task.turn_ms)


def _next_number(connection: sqlite3.Connection, task: Task) -> int:
    query = "SELECT max(n) FROM events WHERE task = ?"
    return int(connection.execute(query, (task.seq,)).fetchone()[0]) + 1


def _user_input(event: JsonObject, user: User) -> JsonObject:
    return {"type": "userInput", "eventBody": event, "actor": user.info()}


def _add_events(
    connection: sqlite3.Connection,
    seq: int,
    first: int,
    said: JsonObject | None,
    now_ms: int,
    steps: Sequence[Step],
) -> None:
    """Appends what the user said now, and what the agent does from now on."""
    timed: list[tuple[int, JsonObject]] = [] if said is None else [(now_ms, said)]
    timed += [(step.at_ms, {"type": "agentResponse", "eventBody": step.body}) for step in steps]
    rows: list[tuple[int, int, int, str, str]] = []
    for number, (at_ms, event) in enumerate(timed, start=first):
        event_id = str(uuid.uuid4())
        document = to_json({"id": event_id, "isSynthetic": False, **event})
        rows.append((seq, number, at_ms, event_id, document))
    connection.executemany(_INSERT_EVENT, rows)
