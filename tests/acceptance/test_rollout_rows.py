"""Rollouts whose rows are inserted, removed and reordered, and what takes their slots."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.support.fault_server import Fault, Rule
from tests.support.in_process import InProcess
from tests.support.live_tasks import LiveTasks
from tests.support.sandbox import Ended


def write(place: LiveTasks, *rows: str, **entry: Any) -> None:
    path = place.folder / "tasks" / "all.yaml"
    path.parent.mkdir(exist_ok=True)
    removed = entry.pop("removed", [])
    made = {"forEach": {"row": list(rows), "atLeast": 0}, "message": "{{ row }} now", **entry}
    document = {"version": 1, "orgName": "acme", "removed": removed, "tasks": {"up": made}}
    path.write_text(json.dumps(document))


def planned(place: LiveTasks, *more: str) -> dict[str, str]:
    tasks = place.document("plan", *more)["tasks"]
    return {t["key"].removeprefix("up@"): f"{t['action']}/{t['reason']}" for t in tasks}


def test_a_row_inserted_above_a_pilot_does_not_release_the_others(place: LiveTasks) -> None:
    place.time.stop()
    write(place, "finishing", "b", "c", rollout={"pilot": 1})
    assert place.document("apply", "--yes")["summary"]["created"] == 1
    for rows in (("new", "finishing", "b", "c"), ("c", "b", "finishing")):
        write(place, *rows, rollout={"pilot": 1})
        found = planned(place)
        assert found.pop("finishing") == "unchanged/same"
        assert set(found.values()) == {"held/pilot"}, rows
        assert place.document("apply", "--yes")["summary"]["created"] == 0
    place.finish(**{"up@finishing": "done"})
    assert set(planned(place).values()) == {"unchanged/same", "create/new"}


def test_a_failed_pilot_holds_whatever_row_is_inserted(place: LiveTasks) -> None:
    rollout = {"pilot": 1, "stopAfter": 9}
    write(place, "failing", "b", "c", rollout=rollout)
    assert place.run("apply", "--yes")[0] == 0
    place.finish(**{"up@failing": "failed"})
    write(place, "new", "failing", "b", "c", rollout=rollout)
    found = planned(place)
    assert {found[row] for row in ("new", "b", "c")} == {"held/stopped"}
    assert place.document("apply", "--yes")["summary"]["created"] == 0
    write(place, "new", "b", "c", rollout=rollout)
    found = planned(place)  # a row that is gone counts for nothing
    assert (found["new"], found["b"]) == ("create/new", "held/pilot")


def test_a_matcher_whose_row_was_renamed_is_an_error(place: LiveTasks) -> None:
    rollout = {"pilot": [{"row": "a"}]}
    write(place, "a", "b", rollout=rollout)
    assert planned(place) == {"a": "create/new", "b": "held/pilot"}
    write(place, "renamed", "b", rollout=rollout)
    place.capture.readouterr()
    assert run(["-C", str(place.folder), "validate"]) == 1
    err = place.capture.readouterr().err
    assert "TC316" in err
    assert "matches no row" in err
    write(place, rollout=rollout)
    assert run(["-C", str(place.folder), "validate"]) == 0


def test_at_once_counts_a_past_period_that_is_still_running(place: LiveTasks) -> None:
    place.time.stop()
    text: dict[str, Any] = {"message": "finishing {{ row }} {{ period.name }}"}
    write(place, "a", every="month", rollout={"atOnce": 1}, **text)
    assert place.run("apply", "--yes")[0] == 0
    ((running, _),) = planned(place).items()
    later = ("--at", "2999-01-01")
    assert planned(place, *later) == {"a@2999-01": "held/atOnce"}
    assert f"up@{running} (running" in place.run("plan", *later)[1]
    place.time.advance(1)
    assert planned(place, *later) == {"a@2999-01": "create/new"}


def test_at_once_counts_rows_that_are_gone_until_they_are_removed(place: LiveTasks) -> None:
    rollout = {"atOnce": 2}
    names = [
        {"name": n, "does": d}
        for n, d in (("x", "approving"), ("y", "approving"), ("a", "a"), ("b", "b"))
    ]
    each: dict[str, Any] = {"message": "{{ row.does }} {{ row.name }}", "rollout": rollout}
    write(place, forEach={"row": names}, **each)
    assert place.document("apply", "--yes")["summary"]["created"] == 2
    left = {"row": names[2:]}
    write(place, forEach=left, **each)
    found = planned(place)
    assert (found["a"], found["b"]) == ("held/atOnce", "held/atOnce")
    assert "up@x (" in place.run("plan")[1]
    assert place.document("apply", "--yes")["summary"]["created"] == 0
    write(place, forEach=left, removed=["up@x"], **each)
    found = planned(place)
    assert (found["a"], found["b"]) == ("create/new", "held/atOnce")


def fail_first(here: InProcess) -> None:
    """The first task fails."""
    task = here.server.world.tasks[0]
    body = {"type": "error", "message": "out of memory"}
    task.events.append({"id": "9", "type": "agentResponse", "eventBody": body})
    task.shown["status"] = "idle"


def apply_rows(here: InProcess, rows: str) -> Ended:
    entry = {"message": "do {{ row }}", "rollout": {"stopAfter": 1}}
    here.sandbox.write({"t": {"forEach": {"row": list(rows)}, **entry}})
    return here.run("apply", "--parallelism", "1")


def test_a_proxy_that_rejects_a_read_releases_no_row(here: InProcess) -> None:
    apply_rows(here, "a")
    fail_first(here)
    here.server.set_rules(Rule("events", Fault("html", status=403)))
    assert apply_rows(here, "ab").code == 1
    assert len(here.server.posts) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_events_that_the_service_refuses_hide_no_failure_of_others(
    here: InProcess, status: int
) -> None:
    apply_rows(here, "ac")
    fail_first(here)
    other = here.server.world.tasks[1].id
    here.server.set_rules(Rule("events", Fault("status", status=status), task=other))
    assert apply_rows(here, "acb").document["summary"]["held"] == 1
    assert len(here.server.posts) == 2
    shown = {task["key"]: task["status"] for task in here.run("status").document["tasks"]}
    assert shown == {"t@a": "failed", "t@c": "notVisible"}


def test_events_that_are_refused_once_are_read_again(here: InProcess) -> None:
    apply_rows(here, "a")
    fail_first(here)
    first = here.server.world.tasks[0].id
    here.server.set_rules(Rule("events", Fault("status", status=404), nth=(1,), task=first))
    assert apply_rows(here, "ab").document["summary"]["held"] == 1
    assert len(here.server.posts) == 1
