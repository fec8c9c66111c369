"""The Neo token budget: what an answer says, what creates may take, and the words for both."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.diagnostics import Severity
from reconciler.model.fields import COSTING
from reconciler.model.task import RemoteTask
from reconciler.plan.budget import (
    MOST,
    Basis,
    Budget,
    Forecast,
    Outlook,
    Sample,
    amount,
    budget_problems,
    budget_words,
    forecast,
    likeness,
    median,
    read_budget,
    samples,
)
from tests.support.diagnostics import explanation, summary
from tests.support.worlds import inputs, record, state
from tests.support.worlds import view as seen_by

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
LEFT = Outlook(BUDGET, END - timedelta(days=7), Forecast(3, 240_000, 12, Basis.ALIKE))
USED_UP = replace(LEFT, budget=replace(BUDGET, used=2_000_001, exhausted=True))


def test_an_answer_is_read() -> None:
    assert read_budget("acme", ANSWER) == replace(BUDGET, window_kind="individual")
    assert read_budget("acme", {**ANSWER, "windowEnd": 0, "more": []}) == replace(
        BUDGET, window_end=None, window_kind="individual"
    )


@pytest.mark.parametrize("name", ["consumedTokens", "effectiveAllowanceTokens"])
@pytest.mark.parametrize("value", [None, "12", -1, 1.5, True, MOST + 1, 10**400, [], {}])
def test_what_is_no_number_of_tokens_makes_no_budget(name: str, value: object) -> None:
    assert read_budget("acme", {**ANSWER, name: value}) is None


@pytest.mark.parametrize("raw", [None, [], "budget", 3, {}, {"message": "no"}])
def test_another_shape_is_no_budget(raw: object) -> None:
    assert read_budget("acme", raw) is None


@pytest.mark.parametrize(
    "end", [None, "\x1b[31m2026", -5, 10**12, 10**30, True, 1.7e9, 253_402_300_800]
)
def test_a_time_that_no_calendar_has_is_no_time(end: object) -> None:
    read = read_budget("acme", {**ANSWER, "windowEnd": end})
    assert read is not None
    assert read.window_end is None


def test_used_up_is_what_the_service_says_or_its_numbers_do() -> None:
    def exhausted(**changes: object) -> bool:
        read = read_budget("acme", {**ANSWER, **changes})
        assert read is not None
        return read.exhausted

    assert exhausted(exhausted=True)
    assert exhausted(consumedTokens=2_000_000)
    assert exhausted(effectiveAllowanceTokens=0)
    assert not exhausted(exhausted="true")


def test_a_forecast_goes_by_tasks_alike_and_else_by_all() -> None:
    auto, manual = inputs(approvalMode="auto"), inputs(approvalMode="manual")
    known = [Sample(likeness(auto), tokens) for tokens in (900, 100, 200)]
    assert forecast([auto, auto], known) == Forecast(2, 400, 3, Basis.ALIKE)
    assert forecast([manual], known) == Forecast(1, 200, 3, Basis.ALL)
    known.append(Sample(likeness(manual), 5000))
    assert forecast([auto], known) == Forecast(1, 200, 3, Basis.ALIKE)
    both = forecast([auto, manual, inputs(planMode=True)], known)
    assert both == Forecast(3, 200 + 5000 + 550, 4, Basis.SOME_ALIKE)
    assert forecast([auto], []) == Forecast(1)


def test_what_does_not_decide_how_far_an_agent_goes_does_not_count() -> None:
    assert likeness(inputs("a", planMode=False, name="x")) == likeness(inputs("b"))
    for settings in ({"planMode": True}, {"permissionMode": "read-only"}, {"approvalMode": "auto"}):
        assert likeness(inputs("a", **settings)) != likeness(inputs("a"))


def test_samples_are_of_tasks_at_rest_as_they_were_seen_last() -> None:
    outputs: dict[str, dict[str, Any]] = {
        "seen": {"tokensUsed": 1},
        "kept": {"tokensUsed": 20, "status": "idle"},
        "running": {"tokensUsed": 30, "status": "running"},
        "unused": {"tokensUsed": 0},
        "hostile": {"tokensUsed": "many"},
        "absurd": {"tokensUsed": 10**40},
    }
    records = [
        replace(record(key, f"t-{key}", approvalMode=key), outputs=read)
        for key, read in outputs.items()
    ]
    raw = {"id": "t-seen", "tokensUsed": 10, "status": "idle"}
    view = seen_by([RemoteTask("acme", "t-seen", raw)])
    found = {
        sample.likeness[COSTING.index("approvalMode")]: sample.tokens
        for sample in samples(state(records), view)
    }
    assert found == {"seen": 10, "kept": 20}


@given(st.lists(st.integers(0, MOST), min_size=1))
def test_a_median_is_between_the_others(numbers: list[int]) -> None:
    middle = median(numbers)
    assert sum(number < middle for number in numbers) <= len(numbers) / 2
    assert sum(number > middle for number in numbers) <= len(numbers) / 2
    assert median([*numbers, *numbers]) in (middle, *numbers) or len(numbers) % 2 == 0


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (0, "0"), (999, "999"), (1000, "1.0k"), (1540, "1.5k"), (99_960, "100k"),
        (240_000, "240k"), (999_499, "999k"), (999_600, "1.0M"), (2_000_000, "2.0M"),
        (1_234_000_000, "1.2G"), (MOST, "9,223,372T"),
    ],
)  # fmt: skip
def test_an_amount_has_few_digits(tokens: int, text: str) -> None:
    assert amount(tokens) == text


def test_the_line() -> None:
    assert budget_words(LEFT) == (
        "1.2M of 2.0M tokens used, until 2026-12-01 00:00 UTC (in 7 days); "
        "3 creates may take about 240k"
    )
    endless = replace(LEFT, budget=replace(BUDGET, window_end=None), forecast=Forecast(1))
    assert budget_words(endless) == (
        "1.2M of 2.0M tokens used; no forecast for 1 create: no recorded task has used tokens yet"
    )
    assert budget_words(replace(endless, forecast=None)) == "1.2M of 2.0M tokens used"


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ({"days": 3, "hours": 1}, "in 3 days"), ({"hours": 47}, "in 47 hours"),
        ({"minutes": 90}, "in 90 minutes"), ({"seconds": 61}, "in 1 minute"),
        ({"seconds": 5}, "in less than a minute"), ({"seconds": -5}, "over"),
    ],
)  # fmt: skip
def test_the_end_in_words(before: dict[str, float], words: str) -> None:
    outlook = replace(LEFT, read_at=END - timedelta(**before))
    assert f"UTC ({words})" in budget_words(outlook)


def test_a_used_up_budget_is_refused_warned_of_or_overridden() -> None:
    (refused,) = budget_problems([USED_UP], over_budget=False, refusing=True)
    assert refused.severity is Severity.ERROR
    assert "2.0M of 2.0M tokens, until 2026-12-01 00:00 UTC" in summary(refused)
    assert "--over-budget" in explanation(refused)
    (warned,) = budget_problems([USED_UP], over_budget=False, refusing=False)
    assert (warned.severity, warned.case) == (Severity.WARNING, "planned")
    (overridden,) = budget_problems([USED_UP], over_budget=True, refusing=True)
    assert overridden.severity is Severity.WARNING


def test_a_forecast_beyond_the_rest_is_a_warning() -> None:
    assert not [*budget_problems([LEFT], over_budget=False, refusing=True)]
    beyond = replace(LEFT, forecast=Forecast(3, 800_001, 12, Basis.ALIKE))
    (warned,) = budget_problems([beyond], over_budget=False, refusing=True)
    assert warned.severity is Severity.WARNING
    assert "800k of the Neo token budget of acme are left" in summary(warned)
    assert "the median of 12 recorded tasks with the same settings" in explanation(warned)
