"""Forty repositories in forty columns: keys are never truncated in favor of values."""

from __future__ import annotations

from tests.support.entry_sample import ROWS, as_planned, generated, plan_of

MORE = {"repo.branch": "main", "repo.language": "Go"}
REPORT = plan_of(
    [
        as_planned(generated(row | MORE | {"repo.tier": f"tier {at % 3} of three"}, at))
        for at, row in enumerate(ROWS[:12])
    ]
)
STYLE = {"width": 40}
