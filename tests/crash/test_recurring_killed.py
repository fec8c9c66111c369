"""Up to thirteen triggers a day, at random times, with kills and lost responses: one task a day."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.manifest.loader import load
from tests.support.model_world import Fate, World

TRIGGERS = 13
DAY = 24 * 3600


class Trigger(NamedTuple):
    second: int
    answers: list[str]
    dies_after: int | None


ANSWERS = st.lists(st.sampled_from(["ok", "lost", "unsent", "slow down"]), max_size=3)
SECONDS = st.one_of(st.integers(0, DAY - 1), st.integers(DAY - 200, DAY - 1), st.integers(0, 200))
FATES = st.builds(Trigger, SECONDS, ANSWERS, st.one_of(st.none(), st.integers(1, 30)))
OFTEN = st.lists(FATES, min_size=TRIGGERS, max_size=TRIGGERS)
SELDOM = st.lists(FATES.filter(lambda trigger: trigger.dies_after), max_size=2)
"""So that an attempt may be left open when its period ends."""
DAYS = st.lists(st.one_of(OFTEN, SELDOM, SELDOM), min_size=2, max_size=5)


class Schedule:
    """A repository with one recurring entry, and the world that it is applied to."""

    def __init__(self, folder: Path, prompt: str, rows: int) -> None:
        self.world, self.folder = World(folder), folder
        entry: dict[str, object] = {"every": "day", "message": prompt}
        if rows:
            entry |= {"forEach": {"row": [f"r{n}" for n in range(rows)]}}
        document = {"version": 1, "orgName": "acme", "tasks": {"t": entry}}
        (folder / "tasks").mkdir()
        (folder / "tasks" / "all.yaml").write_text(json.dumps(document))

    def trigger(self, moment: datetime, fate: Fate) -> None:
        """As a scheduler does it, which may be late: never before the time that it is."""
        clock = self.world.clock
        clock.sleep(max(0.0, (moment - clock.now()).total_seconds()))
        manifests = load((), root=self.folder, now=clock.now)
        assert not manifests.diagnostics
        self.world.due = manifests.due
        self.world.apply(manifests.tasks, fate)


def run(days: list[list[Trigger]], prompt: str, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        schedule = Schedule(Path(folder), prompt, rows)
        try:
            _run(schedule, days, rows or 1)
        finally:
            schedule.world.close()


def _run(schedule: Schedule, days: list[list[Trigger]], each: int) -> None:
    clock, first = schedule.world.clock, datetime(2026, 11, 25, tzinfo=UTC)
    for number, triggers in enumerate(days):
        for trigger in sorted(triggers, key=lambda trigger: trigger.second):
            fate = Fate(list(trigger.answers), trigger.dies_after)
            schedule.trigger(first + timedelta(days=number, seconds=trigger.second), fate)
            made = schedule.world.prompts()
            assert sum(map(len, made.values())) <= each * ((clock.now() - first).days + 1)
    # Attempts of any period that the last triggers left open are settled, and nothing is created.
    ends = first + timedelta(days=len(days) - 1, seconds=DAY - 1)
    schedule.trigger(ends, Fate())
    made = schedule.world.prompts()
    recorded = schedule.world.recorded()
    ids = [task_id for found in made.values() for task_id in found]
    assert sorted(recorded.values()) == sorted(ids)
    periods = Counter(key.rpartition("@")[2] for key in recorded)
    assert max(periods.values(), default=0) <= each


PROMPTS = [("the review", 0), ("review {{ period.name }}", 0), ("review {{ row }}", 2)]


@pytest.mark.parametrize(("prompt", "rows"), PROMPTS)
@settings(max_examples=8, suppress_health_check=list(HealthCheck), database=None)
@given(days=DAYS)
def test_thirteen_triggers_a_day(prompt: str, rows: int, days: list[list[Trigger]]) -> None:
    run(days, prompt, rows)


@pytest.mark.soak
@pytest.mark.parametrize(("prompt", "rows"), PROMPTS)
@settings(max_examples=300, suppress_health_check=list(HealthCheck), database=None)
@given(days=DAYS)
def test_thirteen_triggers_a_day_for_long(
    prompt: str, rows: int, days: list[list[Trigger]]
) -> None:
    run(days, prompt, rows)
