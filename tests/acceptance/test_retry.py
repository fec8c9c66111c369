"""`--retry`: a new task for each key whose current task has ended without success."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.support.in_process import InProcess
from tests.support.live_tasks import LONGER, LiveTasks
from tests.support.remark_cases import commands_of

WAIT = ("--wait", "--interval", "100ms")


def begun(place: LiveTasks, does: str, rollout: str = "{}") -> dict[str, str]:
    """Tasks that have ended, and their IDs by key."""
    place.write_rows(does, rollout)
    assert place.run("apply", "--yes")[0] == 0
    place.time.advance(LONGER)
    return ids(place)


def ids(place: LiveTasks) -> dict[str, str]:
    state = json.loads((place.folder / "taskctl.state.json").read_text())
    return {name.removeprefix("acme/"): t["taskId"] for name, t in state["tasks"].items()}


def actions(document: dict[str, Any]) -> dict[str, str]:
    return {t["key"]: t["action"] for t in document["tasks"] if t["action"] != "unchanged"}


def results(document: dict[str, Any]) -> dict[str, str]:
    return {task["key"]: task["result"] for task in document["tasks"]}


def codes(document: dict[str, Any]) -> list[str]:
    return [found["code"] for found in document["diagnostics"]]


def test_only_tasks_that_ended_without_success_get_a_new_task(place: LiveTasks) -> None:
    old = begun(place, "failing finishing endless asking failing")
    assert place.run("cancel", "t@c", "-y")[0] == 0
    place.write_rows("finishing finishing endless asking finishing")
    plan = place.document("plan", "--retry", "t@*")
    assert actions(plan) == {"t@a": "replace", "t@c": "replace", "t@e": "replace"}
    assert {t["reason"] for t in plan["tasks"] if t["action"] == "replace"} == {"asked"}
    done = place.document("apply", "--yes", "--retry", "acme/t@*")
    assert results(done) == {"t@a": "replaced", "t@c": "replaced", "t@e": "replaced"}
    assert {t["key"]: t["replaced"] for t in done["tasks"]} == {k: old[k] for k in results(done)}
    new = ids(place)
    assert {key for key in old if old[key] != new[key]} == {"t@a", "t@c", "t@e"}
    place.time.advance(LONGER)
    again = place.document("apply", "--yes", "--retry", "acme/t*")
    assert (results(again), codes(again)) == ({}, ["TC856"])
    assert ids(place) == new


def test_a_key_that_has_not_failed_is_an_error(place: LiveTasks) -> None:
    old = begun(place, "finishing endless failing")
    for key in ("t@a", "t@b", "t@none", "acme/t@b"):
        done = place.document("apply", "--yes", "--retry", key, "--retry", "t@c")
        assert codes(done) == ["TC855"], key
    assert codes(place.document("apply", "--yes", "--retry", "x*")) == ["TC855"]
    assert codes(place.document("apply", "--yes", "--retry", "t@c", "--target", "t@a")) == ["TC855"]
    for words in (["t@c=" + old["t@c"]], ["t@c", "--adopt"]):
        assert codes(place.document("apply", "--yes", "--retry", *words)) == ["TC804"]
    assert ids(place) == old


def test_an_unmet_task_is_retried(place: LiveTasks) -> None:
    expected = "expect: {data: {required: [n]}}"
    place.write_rows("finishing finishing", more=f"  {expected}\n")
    assert place.run("apply", "--yes")[0] == 0
    old = ids(place)
    place.finish(**{"t@a": "unmet", "t@b": "unmet"})
    assert results(place.document("apply", "--yes", "--retry", "t@a")) == {"t@a": "replaced"}
    assert ids(place)["t@b"] == old["t@b"]


def test_a_gone_task_is_not_retried(here: InProcess) -> None:
    here.run("apply")
    old = here.sandbox.recorded()["k2"]
    here.server.world.tasks = [t for t in here.server.world.tasks if t.id != old]
    here.server.world.by_id.pop(old)
    here.server.habits.clock_offset = 15.0
    assert here.run("plan", "--retry", "k*").actions()["k2"] == "gone"
    ended = here.run("apply", "--retry", "k2")
    assert (ended.code, [d["code"] for d in ended.document["diagnostics"]]) == (1, ["TC855"])
    assert here.sandbox.recorded()["k2"] == old


def test_at_once_counts_and_the_pilot_and_failures_do_not(place: LiveTasks) -> None:
    begun(place, "finishing failing failing failing", "{pilot: 1}")
    assert place.run("apply", "--yes")[0] == 0
    place.time.advance(LONGER)
    old = ids(place)
    held = "finishing finishing finishing finishing finishing"
    place.write_rows(held, "{pilot: 1, atOnce: 2, stopAfter: 1}")
    assert actions(place.document("plan")) == dict.fromkeys(["t@b", "t@c", "t@d"], "changed") | {
        "t@e": "held"
    }
    plan = place.document("plan", "--retry", "t@*")
    assert actions(plan) == {"t@b": "replace", "t@c": "replace", "t@d": "held", "t@e": "held"}
    assert {t["key"]: t["reason"] for t in plan["tasks"] if t["action"] == "held"} == {
        "t@d": "atOnce",
        "t@e": "atOnce",
    }
    (note,) = [d for d in plan["diagnostics"] if d["code"] == "TC859"]
    assert note["severity"] == "note"
    assert codes(place.document("apply", "--yes", "--retry", "t@*", "--max-creates", "1")) == [
        "TC513",
        "TC859",
    ]
    done = place.document("apply", "--yes", "--retry", "t@*")
    assert results(done) == {"t@b": "replaced", "t@c": "replaced"}
    assert ids(place)["t@d"] == old["t@d"]


def test_with_wait_exactly_the_tasks_of_the_first_plan_are_retried(place: LiveTasks) -> None:
    """Those that fail again are not retried by the run that created them."""
    old = begun(place, "failing failing failing finishing", "{atOnce: 4, stopAfter: 9}")
    place.write_rows("failing failing finishing finishing", "{atOnce: 1, stopAfter: 9}")
    made = len(place.api.call("GET", place.api.tasks).json["tasks"])
    done = place.document("apply", "--yes", "--retry", "t@*", *WAIT)
    assert results(done) == {"t@a": "replaced", "t@b": "replaced", "t@c": "replaced"}
    assert "TC859" not in codes(done)
    assert done["wait"]["summary"] == {"failed": 2, "done": 2}
    assert len(place.api.call("GET", place.api.tasks).json["tasks"]) == made + 3
    assert place.task_id("t@d") == old["t@d"]
    again = place.document("apply", "--yes", "--retry", "t@*", *WAIT)
    assert results(again) == {"t@a": "replaced", "t@b": "replaced"}


def test_a_saved_plan_is_applied_once(place: LiveTasks) -> None:
    begun(place, "failing finishing")
    assert place.run("plan", "--retry", "*", "--out", "saved")[0] == 0
    assert results(place.document("apply", "saved")) == {"t@a": "replaced"}
    place.time.advance(LONGER)  # it has failed again
    new = ids(place)
    assert codes(place.document("apply", "saved")) == ["TC653"]
    assert ids(place) == new


def test_the_plan_shows_no_command_that_cancels_the_old_task(place: LiveTasks) -> None:
    begun(place, "failing")
    plan = place.document("plan", "--retry", "t@a")
    (task,) = plan["tasks"]
    assert commands_of(task) == []
    for form in ("text", "markdown", "html"):
        assert "replace" in place.run("plan", "--retry", "t@a", "--format", form)[1]


def test_results_suggest_to_retry_what_has_failed(place: LiveTasks) -> None:
    """As a glob, if several tasks of an entry have failed; never what is in no manifest."""
    lone = "lone: {message: failing alone}\norphan: {message: failing at last}\n"
    place.write_rows("failing failing finishing", more=lone)
    code, out, _ = place.run("apply", "--yes", *WAIT)
    (line,) = (row.strip() for row in out.splitlines() if "--retry" in row)
    words = "taskctl apply --retry acme/lone --retry acme/orphan --retry 'acme/t@*' "
    assert (code, line.startswith(words)) == (1, True), line
    place.write_rows("failing failing finishing", more=lone.partition("\n")[0])
    out = place.run("results")[1]
    (line,) = (row.strip() for row in out.splitlines() if "--retry" in row)
    assert "orphan" not in line
    old = ids(place)
    done = place.document(*shlex.split(line.partition(" --backend")[0])[1:], "--yes")
    assert set(results(done)) == {"lone", "t@a", "t@b"}
    for key in ("lone", "t@a", "t@b"):
        place.run("cancel", key, "-y")
        assert ids(place)[key] != old[key]
    place.write_rows("failing failing finishing")
    assert "--retry" not in place.run("results", "t@c")[1]


@pytest.mark.parametrize("name", ["", "=x", "t@a="])
def test_an_invalid_value_is_incorrect_usage(place: LiveTasks, name: str) -> None:
    begun(place, "failing")
    assert codes(place.document("plan", "--retry", name)) == ["TC804"]
