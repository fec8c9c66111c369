"""What the Neo token budget has left, and what the creates of a plan may take of it. Pure.

The budget is `OrgNeoTokenBudget` of the API document. The forecast is no more than a median of what
tasks like these took before: the text of a prompt says nothing of how long an agent goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Arg, Diagnostic, Severity, warning
from reconciler.model.fields import COSTING
from reconciler.model.task import Inputs, rfc3339
from reconciler.plan.view import RemoteView
from reconciler.state.model import State

MOST = 2**63 - 1
"""The API's int64: what is beyond it, or below nothing, is no number of tokens."""

_KIND_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Budget:
    """The tokens of one organization that were used in this window, and those that may be.

    `window_end` is None where the window never ends or the service told no time. `window_kind` is
    as the service says it.
    """

    org_name: str
    used: int
    allowance: int
    exhausted: bool
    window_end: datetime | None = None
    window_kind: str = ""

    @property
    def rest(self) -> int:
        return max(0, self.allowance - self.used)


class Basis(StrEnum):
    """What a forecast goes by."""

    ALIKE = "sameSettings"  # for every create: recorded tasks with the same `COSTING` settings
    SOME_ALIKE = "partlySameSettings"  # for some of them; for the others as for ALL
    ALL = "all"  # recorded tasks, though none has the same settings
    NOTHING = "none"  # no recorded task has used any tokens yet: no forecast


@dataclass(frozen=True, slots=True)
class Forecast:
    """`tokens` that `creates` may take together, None without a forecast. `samples` is how many
    recorded tasks it goes by."""

    creates: int
    tokens: int | None = None
    samples: int = 0
    basis: Basis = Basis.NOTHING


@dataclass(frozen=True, slots=True)
class Outlook:
    """A budget as it was at `read_at` by the service's clock, and what a plan may take of it."""

    budget: Budget
    read_at: datetime
    forecast: Forecast | None = None


class Sample(NamedTuple):
    """What one task took: the settings it was created with, as `likeness` has them."""

    likeness: tuple[str, ...]
    tokens: int


def read_budget(org_name: str, raw: object) -> Budget | None:
    """The budget in an answer; None for what is none. A time that no calendar has is no time."""
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
        window_kind=kind[:_KIND_LENGTH] if isinstance(kind, str) else "",
    )


def samples(state: State, view: RemoteView) -> Iterator[Sample]:
    """What the recorded tasks took that have come to rest: as just seen, else as last read."""
    for ref, record in state.records.items():
        remote = view.find(ref, record.task_id)
        outputs = remote.raw if remote is not None else record.outputs
        tokens = _tokens(outputs.get("tokensUsed"))
        if tokens and outputs.get("status") != "running":
            yield Sample(likeness(record.inputs), tokens)


def forecast(creates: Iterable[Inputs], known: Iterable[Sample]) -> Forecast:
    """For each create the median of the tasks alike, else the median of all; added up."""
    everything: list[int] = []
    alike: dict[tuple[str, ...], list[int]] = {}
    for sample in known:
        everything.append(sample.tokens)
        alike.setdefault(sample.likeness, []).append(sample.tokens)
    wanted = [likeness(inputs) for inputs in creates]
    if not everything or not wanted:
        return Forecast(len(wanted))
    medians = {one: median(tokens) for one, tokens in alike.items()}
    overall = median(everything)
    fitting = {one for one in wanted if one in alike}
    whole = all(one in fitting for one in wanted)
    basis = Basis.ALIKE if whole else Basis.SOME_ALIKE if fitting else Basis.ALL
    return Forecast(
        creates=len(wanted),
        tokens=sum(medians.get(one, overall) for one in wanted),
        samples=sum(len(alike[one]) for one in fitting) if whole else len(everything),
        basis=basis,
    )


def likeness(inputs: Inputs) -> tuple[str, ...]:
    """Equal for tasks that go on alike; a flag that is off is one that is not there."""
    return tuple(str(inputs.get(name) or "") for name in COSTING)


def median(numbers: Sequence[int]) -> int:
    """Of at least one number; rounded down."""
    ordered, middle = sorted(numbers), len(numbers) // 2
    return ordered[middle] if len(numbers) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def budget_problems(
    outlooks: Iterable[Outlook], *, over_budget: bool, refusing: bool
) -> Iterator[Diagnostic]:
    """What a reader has to know before tasks are created. A used up budget is an error where
    `refusing` (as apply does) and not `over_budget`, else a warning, as is a forecast beyond the
    rest."""
    for outlook in outlooks:
        budget, expected = outlook.budget, outlook.forecast
        if expected is None or not expected.creates:
            continue
        if budget.exhausted:
            yield _used_up(outlook, over_budget=over_budget, refusing=refusing)
        elif expected.tokens is not None and expected.tokens > budget.rest:
            yield warning(
                Code.BUDGET_FORECAST,
                creates=counted(expected.creates),
                tokens=amount(expected.tokens),
                rest=amount(budget.rest),
                org=budget.org_name,
                window=window_words(outlook),
                basis=basis_words(expected),
            )


def _used_up(outlook: Outlook, *, over_budget: bool, refusing: bool) -> Diagnostic:
    budget = outlook.budget
    facts: dict[str, Arg] = {
        "org": budget.org_name,
        "used": amount(budget.used),
        "allowance": amount(budget.allowance),
        "window": window_words(outlook),
    }
    if refusing and not over_budget:
        return Diagnostic(Code.BUDGET_EXHAUSTED, Severity.ERROR, "refused", facts)
    case = "ignored" if over_budget else "planned"
    return Diagnostic(Code.BUDGET_EXHAUSTED, Severity.WARNING, case, facts)


def budget_document(outlooks: Iterable[Outlook]) -> dict[str, Any]:
    """`budget` of the plan document."""
    return {"organizations": [_organization(outlook) for outlook in outlooks]}


def _organization(outlook: Outlook) -> dict[str, Any]:
    budget, expected = outlook.budget, outlook.forecast
    shown: dict[str, Any] = {
        "orgName": budget.org_name,
        "usedTokens": budget.used,
        "allowanceTokens": budget.allowance,
        "exhausted": budget.exhausted,
        "windowEnd": rfc3339(budget.window_end) if budget.window_end else None,
        "windowKind": budget.window_kind,
        "readAt": rfc3339(outlook.read_at),
    }
    if expected is not None:
        shown["forecast"] = {
            "creates": expected.creates,
            "tokens": expected.tokens,
            "basis": expected.basis.value,
            "samples": expected.samples,
        }
    return shown


# In words


def budget_words(outlook: Outlook, mark: str = "") -> str:
    """`1.2M of 2.0M tokens used, until 2026-12-01 00:00 UTC (in 7 days); 3 creates ...`."""
    budget, expected = outlook.budget, outlook.forecast
    until = window_words(outlook, mark)
    used = f"{amount(budget.used)} of {amount(budget.allowance)} tokens used{until}"
    return used if expected is None else f"{used}; {forecast_words(expected)}"


def forecast_words(expected: Forecast) -> str:
    if expected.tokens is None:
        return f"no forecast for {counted(expected.creates)}: no recorded task has used tokens yet"
    return f"{counted(expected.creates)} may take about {amount(expected.tokens)}"


def basis_words(expected: Forecast) -> str:
    tasks = f"{expected.samples:,} recorded task{'' if expected.samples == 1 else 's'}"
    match expected.basis:
        case Basis.ALIKE:
            return f"the median of {tasks} with the same settings"
        case Basis.SOME_ALIKE:
            return f"the median of those with the same settings, or else of all {tasks}"
    return f"the median of {tasks}, none with the same settings"


def window_words(outlook: Outlook, mark: str = "") -> str:
    """`, until 2026-12-01 00:00 UTC (in 7 days)`; nothing where it has no end. `mark`: to stand
    on both sides of the time."""
    end = outlook.budget.window_end
    if end is None:
        return ""
    return f", until {mark}{end:%Y-%m-%d %H:%M} UTC{mark} ({_away(end - outlook.read_at)})"


def counted(creates: int) -> str:
    return "1 create" if creates == 1 else f"{creates:,} creates"


def amount(tokens: int) -> str:
    """`950`, `1.5k`, `240k`, `1.2M`: two digits or three, rounded."""
    scaled, unit = float(tokens), ""
    for following in ("k", "M", "G", "T"):
        if round(scaled) < 1000:
            break
        scaled, unit = scaled / 1000, following
    if not unit:
        return str(tokens)
    return f"{scaled:,.0f}{unit}" if scaled >= 99.95 else f"{scaled:.1f}{unit}"


def _away(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds <= 0:
        return "over"
    for word, size, least in (("day", 86400, 2), ("hour", 3600, 2), ("minute", 60, 1)):
        if seconds >= least * size:
            number = round(seconds / size)
            return f"in {number:,} {word}{'' if number == 1 else 's'}"
    return "in less than a minute"


def _tokens(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST else None


def _moment(value: object) -> datetime | None:
    """Unix seconds; 0 is the API's word for a window that does not end."""
    if type(value) is not int or value <= 0:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
