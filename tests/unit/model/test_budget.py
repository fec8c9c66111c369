"""The Neo token budget: reading a response, and the effect of an exhausted budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.model.budget import MAX_TOKENS, Budget, Outlook, budget_problems, read_budget
from reconciler.model.diagnostics import Severity
from reconciler.model.value import replace
from tests.support.diagnostics import explanation, summary

ANSWER: dict[str, Any] = {
    "baseAllowanceTokens": 1_500_000,
    "consumedTokens": 1_200_000,
    "effectiveAllowanceTokens": 2_000_000,
    "exhausted": False,
    "windowEnd": 1_796_083_200,
    "windowKind": "individual",
}
END = datetime(2026, 12, 1, tzinfo=UTC)
BUDGET = Budget("acme", 1_200_000, 2_000_000, exhausted=False, window_end=END)
LEFT = Outlook(BUDGET, END - timedelta(days=7))
USED_UP = replace(LEFT, budget=replace(BUDGET, used=2_000_001, exhausted=True))


def test_a_response_is_read() -> None:
    assert read_budget("acme", ANSWER) == replace(BUDGET, window_kind="individual")
    assert read_budget("acme", {**ANSWER, "windowEnd": 0, "more": []}) == replace(
        BUDGET, window_end=None, window_kind="individual"
    )


@pytest.mark.parametrize("name", ["consumedTokens", "effectiveAllowanceTokens"])
@pytest.mark.parametrize("value", [None, "12", -1, 1.5, True, MAX_TOKENS + 1, 10**400, [], {}])
def test_an_invalid_number_of_tokens_is_not_a_budget(name: str, value: object) -> None:
    assert read_budget("acme", {**ANSWER, name: value}) is None


@pytest.mark.parametrize("raw", [None, [], "budget", 3, {}, {"message": "no"}])
def test_a_response_of_another_shape_is_not_a_budget(raw: object) -> None:
    assert read_budget("acme", raw) is None


@pytest.mark.parametrize(
    "end", [None, "\x1b[31m2026", -5, 10**12, 10**30, True, 1.7e9, 253_402_300_800]
)
def test_an_invalid_time_is_ignored(end: object) -> None:
    read = read_budget("acme", {**ANSWER, "windowEnd": end})
    assert read is not None
    assert read.window_end is None


def test_a_budget_is_exhausted_by_its_flag_or_its_numbers() -> None:
    def exhausted(**changes: object) -> bool:
        read = read_budget("acme", {**ANSWER, **changes})
        assert read is not None
        return read.exhausted

    assert exhausted(exhausted=True)
    assert exhausted(consumedTokens=2_000_000)
    assert exhausted(effectiveAllowanceTokens=0)
    assert not exhausted(exhausted="true")


def test_an_exhausted_budget_is_an_error_a_warning_or_overridden() -> None:
    (refused,) = budget_problems([USED_UP], over_budget=False, refusing=True)
    assert refused.severity is Severity.ERROR
    assert "2.0M of 2.0M tokens, until 2026-12-01 00:00 UTC; apply creates" in summary(refused)
    assert "--over-budget" in explanation(refused)
    (warned,) = budget_problems([USED_UP], over_budget=False, refusing=False)
    assert (warned.severity, warned.case) == (Severity.WARNING, "planned")
    (overridden,) = budget_problems([USED_UP], over_budget=True, refusing=True)
    assert overridden.severity is Severity.WARNING


def test_a_budget_with_tokens_left_is_not_a_problem() -> None:
    assert not [*budget_problems([LEFT], over_budget=False, refusing=True)]
