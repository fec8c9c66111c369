"""More tasks than fit on a screen: as many as fit, then a count of the rest."""

from __future__ import annotations

from tests.support.entry_sample import as_planned, generated, plan_of

ROWS = [
    {
        "repo.name": f"service-{n:03}",
        "repo.owner": "platform",
        "why": f"{n % 7} findings of the scan",
    }
    for n in range(300)
]
REPORT = plan_of([as_planned(generated(row, number)) for number, row in enumerate(ROWS)])
