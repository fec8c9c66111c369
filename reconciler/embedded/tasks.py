"""A task as stored in the database, and as the API shows it at a given time.

The status and token usage of a task follow from its row and the clock.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, fields
from typing import cast

from reconciler.embedded.lifecycle import COMPACTION_PERCENT, CONTEXT_WINDOW, stamp
from reconciler.embedded.wsgi import JsonObject, User, to_json

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
    context_before: int
    context: int
    approval: str

    def is_running(self, now_ms: int) -> bool:
        return now_ms < self.busy_until

    def open_approval(self, now_ms: int) -> str:
        """The id of the approval request that the task is blocked on, or an empty string."""
        return "" if self.is_running(now_ms) else self.approval

    def is_open(self, now_ms: int) -> bool:
        """Whether the current turn is unfinished: running, or waiting for approval."""
        return bool(self.is_running(now_ms) or self.open_approval(now_ms))

    def used_at(self, now_ms: int) -> tuple[int, int]:
        """Tokens used, and tokens in the context window. A turn counts once it has ended."""
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
            f'"name":{to_json(self.name)}',
            f'"status":"{"running" if running else "idle"}"',
            f'"approvalMode":"{self.approval_mode}"',
            f'"permissionMode":"{self.permission_mode}"',
            f'"isShared":{"true" if self.shared else "false"}',
            f'"entities":{self.entities}',
            f'"tokensUsed":{tokens}',
            '"pendingInputCount":0',  # input is never queued here
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
        """A new task boots for the first tenth of its first turn, and then has a heartbeat."""
        booted = self.turn_ms + (self.busy_until - self.turn_ms) // 10
        if self.turn == 1 and now_ms < booted:
            return ('"runtimePhase":"booting"',)
        phase = "running" if self.is_running(now_ms) else "ready"
        beat = max(min(now_ms, self.busy_until) // 1000 * 1000, self.turn_ms)
        return (f'"runtimePhase":"{phase}"', f'"lastHeartbeat":"{stamp(beat)}"')


COLUMNS = ", ".join(field.name for field in fields(StoredTask))


def find_task(
    connection: sqlite3.Connection, org_name: str, task_id: str, user: User
) -> StoredTask | None:
    """The task, if it exists and is visible to the user: the user's own, or shared."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM tasks WHERE id = ? AND org = ? AND (creator = ? OR shared = 1)",
        (task_id, org_name, user.id),
    ).fetchone()
    return None if row is None else StoredTask(*row)
