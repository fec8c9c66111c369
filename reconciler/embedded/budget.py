"""An optional Neo token budget, for testing what depends on it.

The database stores it, so it applies to every process that opens the file, including
`--backend local`. Tokens count once the turn that used them has ended.
"""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass

from reconciler.embedded.storage import Storage
from reconciler.embedded.tasks import TOKENS_AT
from reconciler.embedded.wsgi import ApiError, JsonObject

_CENTS_PER_MILLION = 1000

# Tokens that a task used before the window started do not count. If a task has had several turns
# since then, only the last turn can be attributed to the window.
_BEFORE = (
    "CASE WHEN created_ms >= :start THEN 0"
    " WHEN busy_until <= :start THEN tokens ELSE tokens_before END"
)
_USED = f"SELECT total({TOKENS_AT} - {_BEFORE}) FROM tasks WHERE org = :org"


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """How many Neo tokens an organization may use until `window_end` (Unix time; 0: no end).

    With `window_seconds`, windows of that length repeat, and the first one ends at `window_end`.
    `window_kind` is trial, individual, org-dollar or member-dollar, as in the API document.
    """

    allowance: int
    bonus: int = 0
    window_end: int = 0
    window_seconds: int = 0
    window_kind: str = "individual"

    def window(self, now_ms: int) -> tuple[int, int]:
        """The current window: its start (Unix milliseconds, 0: none) and end (Unix seconds)."""
        if not self.window_seconds:
            return 0, self.window_end
        over = max(0, now_ms // 1000 - self.window_end + self.window_seconds)
        end = self.window_end + over // self.window_seconds * self.window_seconds
        return (end - self.window_seconds) * 1000, end

    def document(self, consumed: int, now_ms: int) -> JsonObject:
        """`OrgNeoTokenBudget` of the API document. The dollar kinds also have amounts in cents."""
        effective = self.allowance + self.bonus
        tokens = {
            "baseAllowance": self.allowance,
            "consumed": consumed,
            "effectiveAllowance": effective,
        }
        document: JsonObject = {f"{name}Tokens": count for name, count in tokens.items()}
        if self.window_kind.endswith("-dollar"):
            cents = {f"{n}Cents": c * _CENTS_PER_MILLION // 1_000_000 for n, c in tokens.items()}
            document.update(cents)
        return {
            **document,
            "exhausted": consumed >= effective,
            "windowEnd": self.window(now_ms)[1],
            "windowKind": self.window_kind,
        }


def store_budget(storage: Storage, budget: TokenBudget | None) -> None:
    """Replaces the budget in the database; None removes it."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM budget")
        if budget is not None:
            connection.execute("INSERT INTO budget VALUES (?, ?, ?, ?, ?)", astuple(budget))

    storage.write(work)


def stored_budget(connection: sqlite3.Connection) -> TokenBudget | None:
    """The budget in the database, or None."""
    row = connection.execute("SELECT * FROM budget").fetchone()
    return None if row is None else TokenBudget(*row)


def used_tokens(
    connection: sqlite3.Connection, budget: TokenBudget, org_name: str, now_ms: int
) -> int:
    """The tokens that the organization's tasks have used in the current window."""
    values = {"org": org_name, "now": now_ms, "start": budget.window(now_ms)[0]}
    return int(connection.execute(_USED, values).fetchone()[0])


def refuse_over_budget(connection: sqlite3.Connection, org_name: str, now_ms: int) -> None:
    """Raises ApiError 402, as Pulumi Cloud does, if the budget is exhausted."""
    budget = stored_budget(connection)
    if budget is None:
        return
    if used_tokens(connection, budget, org_name, now_ms) >= budget.allowance + budget.bonus:
        raise ApiError(402, f"Payment Required: the Neo usage limit of '{org_name}' is reached")
