"""An optional Neo token budget, for tests of budgets.

The database stores it, so it applies to every process that opens the file, including `--backend
local`. Tokens count once the turn that used them has ended.
"""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, dataclass

from reconciler.embedded.storage import Storage
from reconciler.embedded.wsgi import ApiError, JsonObject

_USED = (
    "SELECT total(CASE WHEN busy_until <= :now THEN tokens ELSE tokens_before END)"
    " FROM tasks WHERE org = :org"
)


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """The number of Neo tokens that an organization may use until `window_end` (Unix time; 0: no
    end)."""

    allowance: int
    window_end: int = 0

    def document(self, consumed: int) -> JsonObject:
        """`OrgNeoTokenBudget` of the API document."""
        return {
            "baseAllowanceTokens": self.allowance,
            "consumedTokens": consumed,
            "effectiveAllowanceTokens": self.allowance,
            "exhausted": consumed >= self.allowance,
            "windowEnd": self.window_end,
            "windowKind": "individual",
        }


def store_budget(storage: Storage, budget: TokenBudget | None) -> None:
    """Replaces the budget in the database; None removes it."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM budget")
        if budget is not None:
            connection.execute("INSERT INTO budget VALUES (?, ?)", astuple(budget))

    storage.write(work)


def stored_budget(connection: sqlite3.Connection) -> TokenBudget | None:
    """The budget in the database, or None."""
    row = connection.execute("SELECT * FROM budget").fetchone()
    return None if row is None else TokenBudget(*row)


def used_tokens(connection: sqlite3.Connection, org_name: str, now_ms: int) -> int:
    """The tokens that the organization's tasks have used."""
    return int(connection.execute(_USED, {"org": org_name, "now": now_ms}).fetchone()[0])


def refuse_over_budget(connection: sqlite3.Connection, org_name: str, now_ms: int) -> None:
    """Raises ApiError 402, as Pulumi Cloud does, if the budget is exhausted."""
    budget = stored_budget(connection)
    if budget and used_tokens(connection, org_name, now_ms) >= budget.allowance:
        raise ApiError(402, f"Payment Required: the Neo usage limit of '{org_name}' is reached")
