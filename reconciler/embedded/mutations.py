"""Changes to tasks."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from reconciler.embedded.lifecycle import Scenario, Script, Step, Turn, stamp, step
from reconciler.embedded.requests import CreateRequest, PatchRequest, event_document
from reconciler.embedded.tasks import UNNAMED, StoredTask
from reconciler.embedded.wsgi import ApiUser, JsonObject, to_json
from reconciler.model import glob

_INSERT_EVENT = "INSERT INTO events (task, n, at_ms, id, document) VALUES (?, ?, ?, ?, ?)"
_Values = dict[str, str | int | None]


@dataclass(frozen=True, slots=True)
class TaskWriter:
    """Changes tasks on behalf of a user, in a write transaction."""

    connection: sqlite3.Connection
    user: ApiUser
    scenario: Scenario
    now_ms: int

    def insert_task(self, org_name: str, request: CreateRequest) -> str:
        """Creates a task and starts its first turn. Returns its id."""
        now, message = self.now_ms, event_document(request.message)
        entities = merge_entities([], message)
        script = self.scenario(Turn(1, message, now, entities, request.approval_mode))
        entities = _with_changes(entities, script)
        task_id = str(uuid.uuid4())
        values: _Values = {
            "id": task_id,
            "org": org_name,
            "creator": self.user.id,
            "created_ms": now,
            "fixed": self._fixed_members(task_id, request),
            "approval_mode": request.approval_mode,
            "permission_mode": request.permission_mode,
            "role": request.role,
            "entities": to_json(entities),
            "name": script.title or UNNAMED,
            "turn": 1,
            "turn_ms": now,
            **_script_values(script, 0),
        }
        marks = ", ".join(f":{column}" for column in values)
        statement = f"INSERT INTO tasks ({', '.join(values)}) VALUES ({marks})"
        seq = self.connection.execute(statement, values).lastrowid or 0
        self._add_events(seq, message, now, script.steps)
        return task_id

    def start_turn(self, task: StoredTask, event: JsonObject) -> None:
        """Starts another turn of an idle task with a user event."""
        now = max(self.now_ms, task.turn_ms)  # a clock that was set back must not reorder events
        entities = merge_entities(task.entity_list(), event)
        turn = Turn(task.turn + 1, event, now, entities, task.approval_mode)
        script = self.scenario(turn)
        entities = _with_changes(entities, script)
        values: _Values = {"entities": to_json(entities), "turn": turn.number, "turn_ms": now}
        self._update(task, values | _script_values(script, task.used_at(now)))
        self._add_events(task.seq, event, now, script.steps)

    def record_message(self, task: StoredTask, event: JsonObject) -> None:
        """Records a message that starts no turn, because the agent still waits for approval."""
        now = max(self.now_ms, task.turn_ms, task.busy_until)
        self._add_events(task.seq, event, now, (step(now, {"type": "awaiting_approvals"}),))

    def end_turn(self, task: StoredTask, event: JsonObject | None) -> None:
        """Cancels the current turn: the rest of its script never becomes visible, but all of its
        tokens count.

        `event` is the `user_cancel` event, or None for a forced cancel.
        """
        now = max(self.now_ms, task.turn_ms)
        running = task.is_running(now)
        self.connection.execute("DELETE FROM events WHERE task = ? AND at_ms > ?", (task.seq, now))
        script = _script_values(Script((), now, 0), task.tokens)
        values: _Values = {"turn_ms": task.turn_ms if running else now}
        self._update(task, values | script)
        ending = step(now, {"type": "cancelled", "operation_was_running": running})
        self._add_events(task.seq, event, now, (ending,))

    def update_settings(self, task: StoredTask, change: PatchRequest) -> None:
        values: _Values = dict(change.changes())
        if change.shared and task.shared_ms is None:
            values["shared_ms"] = self.now_ms
        if values:
            self._update(task, values)

    def _update(self, task: StoredTask, values: _Values) -> None:
        changes = ", ".join(f"{column} = :{column}" for column in values)
        statement = f"UPDATE tasks SET {changes} WHERE seq = :seq"
        self.connection.execute(statement, {**values, "seq": task.seq})

    def _fixed_members(self, task_id: str, request: CreateRequest) -> str:
        """The members of the task's JSON that never change, as text without the braces."""
        members: JsonObject = {
            "id": task_id,
            "createdAt": stamp(self.now_ms),
            "createdBy": self.user.info(),
            "planMode": request.plan_mode,
            "source": request.source,
            "taskType": "sync",
            "toolExecutionMode": request.tool_execution_mode,
        }
        if request.agent_definition_id:
            members["agentDefinitionId"] = request.agent_definition_id
        return to_json(members)[1:-1]

    def _add_events(
        self, seq: int, event: JsonObject | None, at_ms: int, steps: Sequence[Step]
    ) -> None:
        """Appends a user event with the current time, and the agent's events."""
        timed: list[tuple[int, JsonObject]] = []
        if event is not None:
            actor = self.user.info()
            timed.append((at_ms, {"type": "userInput", "eventBody": event, "actor": actor}))
        timed += [(one.at_ms, {"type": "agentResponse", "eventBody": one.body}) for one in steps]
        query = "SELECT coalesce(max(n) + 1, 0) FROM events WHERE task = ?"
        (first,) = self.connection.execute(query, (seq,)).fetchone()
        rows: list[tuple[int, int, int, str, str]] = []
        for number, (moment, fields) in enumerate(timed, start=first):
            event_id = str(uuid.uuid4())
            text = to_json({"id": event_id, "isSynthetic": False, **fields})
            rows.append((seq, number, moment, event_id, text))
        self.connection.executemany(_INSERT_EVENT, rows)


def merge_pull_requests(connection: sqlite3.Connection, pattern: str) -> int:
    """Marks the open pull requests that match `ORG/REPOSITORY#NUMBER` or a glob as merged, as if
    somebody had merged them. Returns their number."""
    count = 0
    rows = connection.execute("SELECT seq, entities FROM tasks").fetchall()
    for seq, text in rows:
        entities: list[JsonObject] = json.loads(text)
        found = [entity for entity in entities if _is_open(entity, pattern)]
        for entity in found:
            entity["merged"] = True
        if found:
            values = (to_json(entities), seq)
            connection.execute("UPDATE tasks SET entities = ? WHERE seq = ?", values)
            count += len(found)
    return count


def _is_open(entity: JsonObject, pattern: str) -> bool:
    if entity.get("type") != "pull_request" or entity.get("merged"):
        return False
    repo = cast("JsonObject", entity["repo"])
    return glob.matches(pattern, f"{repo['org']}/{repo['name']}#{entity['number']}")


def merge_entities(entities: Sequence[JsonObject], event: JsonObject) -> list[JsonObject]:
    """The entities after the `entity_diff` of an event, without duplicates."""
    diff = event.get("entity_diff")
    if not isinstance(diff, dict):
        return list(entities)
    kept = [entity for entity in entities if entity not in diff.get("remove", ())]
    for entity in diff.get("add", ()):
        if entity not in kept:
            kept.append(entity)
    return kept


def _with_changes(entities: Sequence[JsonObject], script: Script) -> list[JsonObject]:
    """The entities after the changes that the agent makes in its turn."""
    merged = list(entities)
    for done in script.steps:
        if done.body.get("type") == "change_entities":
            merged = merge_entities(merged, {"entity_diff": done.body["changes"]})
    return merged


def _script_values(script: Script, tokens: int) -> _Values:
    """The columns that a script sets, given the tokens used before it."""
    return {
        "busy_until": script.busy_until_ms,
        "tokens_before": tokens,
        "tokens": tokens + script.tokens,
        "approval": script.approval,
    }
