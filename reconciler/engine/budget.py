"""The Neo token budget that an embedded service can be given, to try what depends on one."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.engine.wsgi import JsonObject

_CENTS_PER_MILLION = 1000


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """How many Neo tokens an organization may use until `window_end` (Unix time, 0: no end).

    `window_kind` is one of the API document's: trial, individual, org-dollar, member-dollar.
    """

    allowance: int
    bonus: int = 0
    window_end: int = 0
    window_kind: str = "individual"

    def document(self, consumed: int) -> JsonObject:
        """`OrgNeoTokenBudget` of the API document; the dollar kinds also count in cents."""
        effective = self.allowance + self.bonus
        counts: JsonObject = {
            "baseAllowanceTokens": self.allowance,
            "consumedTokens": consumed,
            "effectiveAllowanceTokens": effective,
            "exhausted": consumed >= effective,
            "windowEnd": self.window_end,
            "windowKind": self.window_kind,
        }
        if self.window_kind.endswith("-dollar"):
            counts["baseAllowanceCents"] = _cents(self.allowance)
            counts["consumedCents"] = _cents(consumed)
            counts["effectiveAllowanceCents"] = _cents(effective)
        return counts


def _cents(tokens: int) -> int:
    return tokens * _CENTS_PER_MILLION // 1_000_000
