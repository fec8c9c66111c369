"""Tasks and their events in the database, and a task as the API shows it at a given moment.

Whether a task is running, how it is called and what it has used follow from its row and the
clock: the `..._at` expressions say so in SQL (for sorting), `Task` says so in Python.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import cast

from reconciler.embedded.lifecycle import COMPACTION_PERCENT, CONTEXT_WINDOW, stamp
from reconciler.embedded.user import User
from reconciler.embedded.wsgi import JsonObject, to_json

UNNAMED = "New task"

COLUMNS = (
    "seq, id, creator, fixed, approval_mode, permission_mode, role, shared, shared_ms, entities,"
    " name, auto_name, named_ms, turn, turn_ms, busy_until, tokens_before, tokens,"
    " context_before, context, awaits"
)
SELECT_TASK = " ".join(("SELECT", COLUMNS, "FROM tasks"))

STATUS_AT = "CASE WHEN busy_until <= :now THEN 'idle' ELSE 'running' END"
LAST_EVENT_AT = "CASE WHEN busy_until <= :now THEN busy_until ELSE turn_ms END"
TOKENS_AT = "CASE WHEN busy_until <= :now THEN tokens ELSE tokens_before END"
NAME_AT = (
    "CASE WHEN name <> '' THEN name"
    f" WHEN auto_name <> '' AND named_ms <= :now THEN auto_name ELSE '{UNNAMED}' END"
)


@dataclass(slots=True)
class Task:
    """A row of the table of tasks. `fixed` is JSON text: the members that never change."""

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
    auto_name: str
    named_ms: int
    turn: int
    turn_ms: int
    busy_until: int
    tokens_before: int
    tokens: int
    context_before: int
    context: int
    awaits: str

    def is_running(self, now_ms: int) -> bool:
        return now_ms < self.busy_until

    def waits_for(self, now_ms: int) -> str:
        """The id of the approval request that waits for an answer, or nothing."""
        return "" if self.is_running(now_ms) else self.awaits

    def name_at(self, now_ms: int) -> str:
        generated = self.auto_name if self.named_ms <= now_ms else ""
        return self.name or generated or UNNAMED

    def used_at(self, now_ms: int) -> tuple[int, int]:
        """Tokens used and context tokens in use: a turn's count when it ends."""
        if self.is_running(now_ms):
            return self.tokens_before, self.context_before
        return self.tokens, self.context

    def entity_list(self) -> list[JsonObject]:
        return cast("list[JsonObject]", json.loads(self.entities))

    def document(self, now_ms: int) -> str:
        """The task as an `AgentTask` of the API document, in JSON."""
        running = self.is_running(now_ms)
        tokens, context = self.used_at(now_ms)
        members = [
            self.fixed,
            f'"name":{to_json(self.name_at(now_ms))}',
            f'"status":"{"running" if running else "idle"}"',
            f'"approvalMode":"{self.approval_mode}"',
            f'"permissionMode":"{self.permission_mode}"',
            f'"isShared":{"true" if self.shared else "false"}',
            f'"entities":{self.entities}',
            f'"tokensUsed":{tokens}',
            f'"pendingInputCount":{1 if self.waits_for(now_ms) else 0}',
            *self._runtime(now_ms),
        ]
        if context:
            members.append(
                f'"contextUsedTokens":{context},"contextWindowTokens":{CONTEXT_WINDOW},'
                f'"contextCompactionThresholdPercent":{COMPACTION_PERCENT}'
            )
        if self.shared_ms is not None:
            members.append(f'"sharedAt":"{stamp(self.shared_ms)}"')
        if self.role:
            role = to_json(self.role)
            members.append(f'"role":{role},"roleName":{role}')
        return "{" + ",".join(members) + "}"

    def _runtime(self, now_ms: int) -> tuple[str, ...]:
        """A new task's machine boots for a tenth of its first turn; then it has a heartbeat."""
        booted = self.turn_ms + (self.busy_until - self.turn_ms) // 10
        if self.turn == 1 and now_ms < booted:
            return ('"runtimePhase":"booting"',)
        phase = "running" if self.is_running(now_ms) else "ready"
        beat = max(min(now_ms, self.busy_until) // 1000 * 1000, self.turn_ms)
        return (f'"runtimePhase":"{phase}"', f'"lastHeartbeat":"{stamp(beat)}"')


def find(connection: sqlite3.Connection, org_name: str, task_id: str, user: User) -> Task | None:
    """The task, if it is there and its creator's or shared: others may not know of it."""
    row = connection.execute(
        SELECT_TASK + " WHERE id = ? AND org = ? AND (creator = ? OR shared = 1)",
        (task_id, org_name, user.id),
    ).fetchone()
    return None if row is None else Task(*row)
