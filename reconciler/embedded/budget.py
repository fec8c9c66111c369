"""The Neo token budget that an embedded service can be given, to try what depends on one.

It is kept in the database, so that every process that opens the file plays it, `--backend local`
too. Tokens count once the turn that used them has ended.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from reconciler.embedded.storage import Storage
from reconciler.embedded.tasks import TOKENS_AT
from reconciler.embedded.wsgi import ApiError, JsonObject

_CENTS_PER_MILLION = 1000

# Of tasks that began before the window, what they had used by then does not count. Of several turns
# since, that can be told of the last one alone.
_BEFORE = (
    "CASE WHEN created_ms >= :start THEN 0"
    " WHEN busy_until <= :start THEN tokens ELSE tokens_before END"
)
_USED = " ".join(("SELECT total(", TOKENS_AT, "-", _BEFORE, ") FROM tasks WHERE org = :org"))

_FIELDS = "allowance, bonus, window_end, window_seconds, window_kind"
_SELECT = " ".join(("SELECT", _FIELDS, "FROM budget"))
_INSERT = " ".join(("INSERT INTO budget (", _FIELDS, ") VALUES (?, ?, ?, ?, ?)"))
_TABLE = """
CREATE TABLE IF NOT EXISTS budget (
    allowance INTEGER NOT NULL,
    bonus INTEGER NOT NULL,
    window_end INTEGER NOT NULL,
    window_seconds INTEGER NOT NULL,
    window_kind TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """How many Neo tokens an organization may use until `window_end` (Unix time, 0: no end).

    Windows of `window_seconds` follow each other, the first up to `window_end`; 0: there is just
    one. `window_kind` is one of the API document's: trial, individual, org-dollar, member-dollar.
    """

    allowance: int
    bonus: int = 0
    window_end: int = 0
    window_kind: str = "individual"
    window_seconds: int = 0

    def window(self, now_ms: int) -> tuple[int, int]:
        """When the window of this moment began (milliseconds, 0: ever), and its end (seconds)."""
        if not self.window_seconds:
            return 0, self.window_end
        over = max(0, now_ms // 1000 - self.window_end + self.window_seconds)
        end = self.window_end + over // self.window_seconds * self.window_seconds
        return (end - self.window_seconds) * 1000, end

    def document(self, consumed: int, now_ms: int) -> JsonObject:
        """`OrgNeoTokenBudget` of the API document; the dollar kinds also count in cents."""
        effective = self.allowance + self.bonus
        counts: JsonObject = {
            "baseAllowanceTokens": self.allowance,
            "consumedTokens": consumed,
            "effectiveAllowanceTokens": effective,
            "exhausted": consumed >= effective,
            "windowEnd": self.window(now_ms)[1],
            "windowKind": self.window_kind,
        }
        if self.window_kind.endswith("-dollar"):
            counts["baseAllowanceCents"] = _cents(self.allowance)
            counts["consumedCents"] = _cents(consumed)
            counts["effectiveAllowanceCents"] = _cents(effective)
        return counts


def keep_budget(storage: Storage, budget: TokenBudget | None) -> None:
    """Gives the database this budget in place of the one it has; None: none."""

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(_TABLE)
        connection.execute("DELETE FROM budget")
        if budget is not None:
            row = (
                budget.allowance,
                budget.bonus,
                budget.window_end,
                budget.window_seconds,
                budget.window_kind,
            )
            connection.execute(_INSERT, row)

    storage.write(work)


def kept_budget(connection: sqlite3.Connection) -> TokenBudget | None:
    """The database's budget. Its table is made with the first one: older files have none."""
    there = "SELECT 1 FROM sqlite_master WHERE name = 'budget'"
    if connection.execute(there).fetchone() is None:
        return None
    row = connection.execute(_SELECT).fetchone()
    if row is None:
        return None
    allowance, bonus, window_end, window_seconds, window_kind = row
    return TokenBudget(allowance, bonus, window_end, window_kind, window_seconds)


def used_tokens(
    connection: sqlite3.Connection, budget: TokenBudget, org_name: str, now_ms: int
) -> int:
    """What the organization's tasks have used in the window of this moment."""
    values = {"org": org_name, "now": now_ms, "start": budget.window(now_ms)[0]}
    return int(connection.execute(_USED, values).fetchone()[0])


def refuse_over_budget(connection: sqlite3.Connection, org_name: str, now_ms: int) -> None:
    """ApiError 402 where a budget is used up: Pulumi Cloud's status for it."""
    budget = kept_budget(connection)
    if budget is None:
        return
    if used_tokens(connection, budget, org_name, now_ms) >= budget.allowance + budget.bonus:
        raise ApiError(402, f"Payment Required: the Neo usage limit of '{org_name}' is reached")


def _cents(tokens: int) -> int:
    return tokens * _CENTS_PER_MILLION // 1_000_000
