from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.remote.retries import RetryPolicy, http_date, retry_after

NOW = datetime(2026, 11, 24, 15, 0, 0, tzinfo=UTC)


@given(st.integers(1, 5), st.integers())
def test_jitter_is_full_and_bounded(tried: int, seed: int) -> None:
    policy = RetryPolicy(tries=9, base=0.5, cap=3.0, total=1000.0)
    pause = policy.wait(tried, 0.0, None, random.Random(seed).uniform)
    assert pause is not None
    assert 0.0 <= pause <= min(3.0, 0.5 * 2 ** (tried - 1))


@given(st.floats(0, 50), st.integers())
def test_retry_after_is_a_minimum_with_jitter(asked: float, seed: int) -> None:
    policy = RetryPolicy(base=0.5, total=1000.0)
    pause = policy.wait(1, 0.0, asked, random.Random(seed).uniform)
    assert pause is not None
    assert asked <= pause <= asked + 0.5


def test_waits_grow_to_a_maximum_and_end() -> None:
    policy = RetryPolicy(tries=6, base=1.0, cap=5.0, total=100.0)
    waits = [policy.wait(tried, 0.0, None, lambda _, high: high) for tried in range(1, 7)]
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0, None]


def test_the_total_time_is_limited() -> None:
    policy = RetryPolicy(tries=100, base=1.0, cap=1.0, total=10.0)
    assert policy.wait(1, 9.0, None, lambda _, high: high) == 1.0
    assert policy.wait(1, 9.1, None, lambda _, high: high) is None
    assert policy.wait(1, 0.0, 60.0, lambda low, _: low) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": " 120 "}, 120.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"Retry-After": "Tue, 24 Nov 2026 15:00:30 GMT"}, 30.0),
        ({"Retry-After": "Tue, 24 Nov 2026 14:00:00 GMT"}, 0.0),
        (
            {
                "Retry-After": "Tue, 24 Nov 2026 16:00:30 GMT",
                "Date": "Tue, 24 Nov 2026 16:00:00 GMT",
            },
            30.0,
        ),
        ({"Retry-After": "soon"}, None),
    ],
)
def test_retry_after_is_parsed(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


def test_a_date_after_the_end_of_time_is_no_date() -> None:
    assert http_date("Fri, 31 Dec 9999 23:59:59 -2359") is None


@given(st.text())
def test_any_retry_after_header_is_accepted(text: str) -> None:
    retry_after({"Retry-After": text, "Date": text}, NOW)
    moment = http_date(text)
    assert moment is None or moment.tzinfo is UTC
