"""An entry of forty repositories is one item on one screen: one prompt and a table of tasks."""

from __future__ import annotations

from tests.support.entry_sample import ROWS, as_planned, generated, plan_of

REPORT = plan_of([as_planned(generated(row, number)) for number, row in enumerate(ROWS)])
