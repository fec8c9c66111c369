"""An entry of forty repositories is one item: its prompt once, its tasks in a table. One screen."""

from __future__ import annotations

from tests.support.entry_sample import ROWS, as_planned, generated, plan_of

REPORT = plan_of([as_planned(generated(row, number)) for number, row in enumerate(ROWS)])
