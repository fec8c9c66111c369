"""A rollout with merges: upgrades of many repositories, each followed by a deployment once its pull
request is merged. A pilot and two others are unmet, and applies are interrupted twice."""

from __future__ import annotations

import json
import signal
from collections import Counter
from typing import NamedTuple

import pytest

from reconciler.cli.main import run
from tests.support.live_tasks import LiveTasks

QUICK = ("apply", "--yes", "--wait", "--interval", "100ms")
GOOD, BAD = '{"upgraded": ["aws"]}', '{"upgraded": "aws"}'
CORRECTED = f"Again:\n```json\n{GOOD}\n```"
PILOT = 5


class Fleet(NamedTuple):
    """The repositories of a manifest: `unmet` are those whose upgrade does not deliver its data."""

    place: LiveTasks
    names: list[str]
    at_once: int
    unmet: tuple[str, ...]

    def write(self, *corrected: str) -> None:
        schema = {"type": "object", "properties": {"upgraded": {"type": "array"}}}
        rows = {"row": {"file": "repositories.json"}}
        upgrade = {
            "forEach": rows,
            "rollout": {"pilot": PILOT, "atOnce": self.at_once, "stopAfter": 4},
            "message": "Upgrade {{ row.name }}.\n```json\n{{ row.answer }}\n```",
            "entities": [{"type": "repository", "org": "acme", "name": "{{ row.name }}"}],
            "expect": {"pullRequests": 1, "merged": True, "data": schema},
        }
        deploy = {
            "forEach": rows,
            "after": ["upgrade@{{ row.name }}"],
            "message": "Deploy {{ row.name }}.",
        }
        tasks = {"upgrade": upgrade, "deploy": deploy}
        folder = self.place.folder / "tasks"
        folder.mkdir(exist_ok=True)
        bad = set(self.unmet) - {*corrected}
        data = [{"name": name, "answer": BAD if name in bad else GOOD} for name in self.names]
        (folder / "repositories.json").write_text(json.dumps(data))
        (folder / "all.yaml").write_text(
            json.dumps({"version": 1, "orgName": "acme", "tasks": tasks})
        )

    def apply(self, *more: str) -> int:
        """The exit code of an apply that waits. Nothing has been created too early."""
        code, out, err = self.place.run(*QUICK, *more)
        assert "TC5" not in err, out + err
        self.check()
        return code

    def check(self) -> None:
        found = self.place.statuses()
        upgrades = {key: status for key, status in found.items() if key.startswith("upgrade@")}
        for key in found.keys() - upgrades.keys():
            assert upgrades[key.replace("deploy@", "upgrade@")] == "done", key
        counted = Counter(upgrades.values())
        assert counted["toMerge"] + counted["running"] <= self.at_once
        merged = counted["done"]
        assert len(upgrades) <= PILOT or merged >= PILOT

    def merge(self) -> None:
        """Somebody merges what is open."""
        database = str(self.place.folder / "service.db")
        words = ["serve", "--merge", "*", "--db", database, "-C", str(self.place.folder)]
        assert run(words) == 0

    def say(self, name: str) -> None:
        assert self.place.run("say", f"upgrade@{name}", CORRECTED, "-y")[0] == 0

    def created(self) -> int:
        """The tasks at the service."""
        return sum(map(len, self.place.api.pages()))

    def counted(self) -> Counter[str]:
        return Counter(self.place.statuses().values())


def story(place: LiveTasks, size: int, at_once: int) -> None:
    names = [f"repo-{number:03}" for number in range(1, size + 1)]
    fleet = Fleet(place, names, at_once, (names[2], names[7], names[-1]))
    fleet.write()
    pilot_is_unmet(fleet)
    killed_after_the_pilot(fleet)
    one_starts_over(fleet)
    interrupted_while_it_waits(fleet)
    merged_to_the_end(fleet)


def pilot_is_unmet(fleet: Fleet) -> None:
    """The pilot passes once it is corrected and merged; until then, nothing else is created."""
    assert fleet.apply() == 1
    assert fleet.counted() == {"toMerge": PILOT - 1, "unmet": 1}
    assert fleet.place.run("status", "--exit-code")[0] == 1
    fleet.say(fleet.unmet[0])
    assert fleet.apply() == 3
    assert fleet.counted() == {"toMerge": PILOT}
    plan = fleet.place.document("plan")
    assert plan["applyWillFail"] is False
    (note,) = (d["summary"] for d in plan["diagnostics"] if d["code"] == "TC755")
    assert all(f"acme/upgrade@{name}" in note for name in fleet.names[:PILOT])
    fleet.merge()


def killed_after_the_pilot(fleet: Fleet) -> None:
    """The next apply completes what an apply that was killed has begun."""
    process = fleet.place.start(*QUICK)
    process.until(lambda: fleet.created() > PILOT + 2)
    process.kill()
    process.wait()
    fleet.check()
    assert fleet.apply() == 1
    assert fleet.counted()["unmet"] == 1


def one_starts_over(fleet: Fleet) -> None:
    """A new task takes the place of the only unmet one, with a corrected prompt."""
    fleet.merge()  # a retry needs a slot of atOnce
    name = fleet.unmet[1]
    fleet.write(name)
    old = fleet.place.task_id(f"upgrade@{name}")
    assert fleet.apply("--retry", "upgrade@*") == 3
    assert fleet.place.task_id(f"upgrade@{name}") != old
    assert fleet.counted()["unmet"] == 0


def interrupted_while_it_waits(fleet: Fleet) -> None:
    fleet.merge()
    fleet.place.time.stop()  # the agents do not finish
    process = fleet.place.start(*QUICK)
    process.until_said(": running")
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    fleet.place.time.stopped = None
    fleet.check()


def merged_to_the_end(fleet: Fleet) -> None:
    codes = [fleet.apply()]
    while codes[-1]:
        assert len(codes) <= len(fleet.names), codes
        if codes[-1] == 1:
            fleet.say(fleet.unmet[2])
        else:
            fleet.merge()
        codes.append(fleet.apply())
    assert codes.count(1) <= 1
    found = fleet.place.statuses()
    assert len(found) == 2 * len(fleet.names)
    assert set(found.values()) == {"done"}
    assert fleet.created() == 2 * len(fleet.names) + 1  # the task that was replaced
    assert fleet.place.run("plan", "--detailed-exitcode")[0] == 0


def test_thirty_repositories_are_upgraded_merged_and_deployed(place: LiveTasks) -> None:
    story(place, 30, 8)


@pytest.mark.soak
def test_three_hundred_repositories_are_upgraded_merged_and_deployed(place: LiveTasks) -> None:
    story(place, 300, 40)
