"""The Neo token budget of an organization. Pure.

See `OrgNeoTokenBudget` in the API document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, error, warning
from reconciler.model.value import Moment, Stored

MAX_TOKENS = 2**63 - 1
"""The maximum number of tokens: the API's int64."""


class Budget(Stored, frozen=True):
    """The tokens that an organization has used in the current window, and its allowance.

    `window_end` is None if the window never ends, or the service did not report its end.
    `window_kind` is as reported by the service.
    """

    org_name: str
    used: int
    allowance: int
    exhausted: bool
    window_end: Moment | None = None
    window_kind: str = ""


class Outlook(Stored, frozen=True):
    """A budget as it was at `read_at` by the service's clock."""

    budget: Budget
    read_at: Moment


def read_budget(org_name: str, raw: object) -> Budget | None:
    """The budget in a response; None if the response has no budget. Ignores an invalid time."""
    if not isinstance(raw, Mapping):
        return None
    used, allowance = (
        _tokens(raw.get("consumedTokens")),
        _tokens(raw.get("effectiveAllowanceTokens")),
    )
    if used is None or allowance is None:
        return None
    kind = raw.get("windowKind")
    return Budget(
        org_name=org_name,
        used=used,
        allowance=allowance,
        exhausted=raw.get("exhausted") is True or used >= allowance,
        window_end=_moment(raw.get("windowEnd")),
        window_kind=kind if isinstance(kind, str) else "",
    )


def budget_problems(
    outlooks: Iterable[Outlook], *, over_budget: bool, refusing: bool
) -> Iterator[Diagnostic]:
    """The exhausted budgets: errors if `refusing` (apply) and not `over_budget`, else warnings."""
    refused = refusing and not over_budget
    report, case = (error, "refused") if refused else (warning, "planned")
    for budget in (outlook.budget for outlook in outlooks):
        if budget.exhausted:
            yield report(
                Code.BUDGET_EXHAUSTED,
                "ignored" if over_budget else case,
                org=budget.org_name,
                used=budget.used,
                allowance=budget.allowance,
                until=minute(budget.window_end) if budget.window_end else "",
            )


def minute(moment: datetime) -> str:
    """`2026-12-01 00:00 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _tokens(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MAX_TOKENS else None


def _moment(value: object) -> datetime | None:
    """Unix seconds as a time; None for 0, which the API sends for a window that does not end."""
    if type(value) is not int or value <= 0:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
