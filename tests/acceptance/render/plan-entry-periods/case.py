"""Recurring entries: one task is shown as a task, several are rows of one entry."""

from __future__ import annotations

from tests.support.entry_sample import as_planned, generated, plan_of

REVIEW = {"message": {"content": "What did the ten most expensive stacks cost in October?\n"}}
REPORT = plan_of(
    [
        as_planned(generated({}, entry="cost-review", template=REVIEW, period="2026-11")),
        *(
            as_planned(generated({"team": team}, n, entry="drift", template=REVIEW, period=period))
            for n, team in enumerate(("data", "network"))
            for period in ("2026-W47", "2026-W48")
        ),
    ]
)
