"""`expect: {pullRequests: N, merged: true}`: a task is done once its pull requests are merged."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.cli.main import run
from tests.support.live_tasks import LiveTasks

QUICK = ("--yes", "--wait", "--interval", "100ms")
GOOD = '```json {"upgraded": []} ```'
SCHEMA = {"type": "object", "properties": {"upgraded": {"type": "array"}}}
MERGED = {"pullRequests": 1, "merged": True}


def task(text: str = f"answering {GOOD}", **settings: Any) -> dict[str, Any]:
    return {"message": text, "expect": MERGED, **settings}


def rows(count: int, rollout: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """An entry whose tasks have a pull request each, in separate repositories."""
    return {
        "forEach": {"row": [f"r{n}" for n in range(count)]},
        "rollout": rollout,
        "message": {
            "content": f"answering {{{{ row }}}} {GOOD}",
            "entity_diff": {"add": [{"type": "repository", "org": "acme", "name": "{{ row }}"}]},
        },
        "expect": MERGED,
        **settings,
    }


def merge(place: LiveTasks, pattern: str = "*") -> int:
    arguments = ["serve", "--merge", pattern, "--db", str(place.folder / "service.db")]
    return run([*arguments, "-C", str(place.folder)])


def actions(place: LiveTasks) -> dict[str, tuple[str, str]]:
    return {t["key"]: (t["action"], t["reason"]) for t in place.document("plan")["tasks"]}


@pytest.fixture
def to_merge(place: LiveTasks) -> LiveTasks:
    place.write_tasks(up=task())
    assert place.run("apply", "--yes")[0] == 0
    place.finish(up="toMerge")
    return place


def test_a_task_is_done_once_its_pull_request_is_merged(to_merge: LiveTasks) -> None:
    assert to_merge.run("wait")[0] == 3
    assert to_merge.document("wait")["end"] == "toMerge"
    assert to_merge.run("results", "--exit-code")[0] == 3
    assert to_merge.run("status", "--exit-code")[0] == 3
    assert merge(to_merge) == 0
    assert to_merge.statuses() == {"up": "done"}
    assert to_merge.run("wait")[0] == 0
    (found,) = to_merge.document("results")["tasks"]
    assert (found["pullRequests"][0]["merged"], found["unmet"]) == (True, [])


def test_every_output_shows_what_a_task_waits_for(to_merge: LiveTasks) -> None:
    for command in ("status", "results", "wait", "show"):
        more = ["up"] if command == "show" else []
        _, out, _ = to_merge.run(command, *more)
        assert ("to merge" in out, "0 of 1 pull request merged" in out) == (True, True), command
        (found,) = to_merge.document(command, *more)["tasks"]
        assert (found["status"], found["unmet"][0]["code"]) == ("toMerge", "TC755"), command
        assert found.get("waitingFor", []) == []
    for name in ("markdown", "html"):
        for command in ("results", "wait"):
            _, out, err = to_merge.run(command, "--format", name)
            assert ("to merge" in out, "0 of 1 pull request merged" in out) == (True, True), err
    junit = ET.fromstring(to_merge.run("results", "--format", "junit")[1])
    assert (junit.get("failures"), junit.get("errors")) == ("0", "0")
    _, out, _ = to_merge.run("results", "--format", "csv")
    assert ",toMerge," in out
    assert "0 of 1 pull request merged" in out
    assert '"ruleId": "task/toMerge"' in to_merge.run("results", "--format", "sarif")[1]
    assert to_merge.run("status", "--status", "toMerge")[1].count("up") == 1
    assert to_merge.document("status", "--status", "failed")["tasks"] == []


def test_a_task_is_unmet_without_its_pull_requests_and_its_data(place: LiveTasks) -> None:
    few = {**MERGED, "pullRequests": 2}
    place.write_tasks(
        few=task(f"answering few {GOOD}", expect=few),
        bad=task("answering JSON", expect={**MERGED, "data": SCHEMA}),
        good=task(expect={**MERGED, "data": SCHEMA}),
    )
    assert place.run("apply", "--yes")[0] == 0
    place.finish(few="unmet", bad="unmet", good="toMerge")
    assert merge(place) == 0
    assert place.statuses() == {"few": "unmet", "bad": "unmet", "good": "done"}


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ({"merged": True}, "TC202"),
        ({"pullRequests": 1, "merged": False}, "TC204"),
        ({"pullRequests": 1, "merged": None}, "TC204"),
        ({"pullRequests": 1, "merged": "true"}, "TC204"),
        ({"pullRequests": None, "merged": True}, "TC203"),
    ],
)
def test_merged_is_true_and_needs_pull_requests(
    place: LiveTasks, expect: dict[str, Any], code: str
) -> None:
    place.write_tasks(up=task(expect=expect))
    place.capture.readouterr()
    assert run(["-C", str(place.folder), "validate"]) == 1
    assert place.capture.readouterr().err.count(f"[{code}]") == 1


def test_merges_count_as_unfinished_for_a_pilot(place: LiveTasks) -> None:
    place.write_tasks(up=rows(3, {"pilot": 1, "stopAfter": 1}))
    code, out, err = place.run("apply", *QUICK)
    assert (code, place.statuses()) == (3, {"up@r0": "toMerge"}), out + err
    assert actions(place)["up@r1"] == ("held", "pilot")
    plan = place.document("plan")
    assert (plan["applyWillFail"], plan["hasChanges"]) == (False, False)
    assert place.run("apply", "--yes")[0] == 0
    assert merge(place) == 0
    code, out, err = place.run("apply", *QUICK)
    assert (code, place.statuses()) == (
        3,
        {"up@r0": "done", "up@r1": "toMerge", "up@r2": "toMerge"},
    ), out + err
    assert merge(place, "acme/r1#*") == 0
    assert place.statuses() == {"up@r0": "done", "up@r1": "done", "up@r2": "toMerge"}
    assert merge(place) == 0
    assert place.run("apply", *QUICK)[0] == 0


def test_at_once_limits_open_pull_requests(place: LiveTasks) -> None:
    place.write_tasks(up=rows(3, {"atOnce": 1}))
    assert place.run("apply", *QUICK)[0] == 3
    assert place.statuses() == {"up@r0": "toMerge"}
    assert actions(place)["up@r1"] == ("held", "atOnce")
    assert merge(place) == 0
    assert place.run("apply", *QUICK)[0] == 3
    assert place.statuses() == {"up@r0": "done", "up@r1": "toMerge"}


def test_what_comes_after_waits_for_the_merge(place: LiveTasks) -> None:
    place.write_tasks(up=task(), then={"message": "finishing", "after": ["up"]})
    assert place.run("apply", *QUICK)[0] == 3
    assert place.statuses() == {"up": "toMerge"}
    place.time.advance(20 * 3600 + 60)
    code, out, err = place.run("plan")
    assert (code, "20 h" in out) == (0, True), out + err
    (found,) = (d for d in place.document("plan")["diagnostics"] if d["code"] == "TC755")
    assert "acme/up" in found["summary"]
    assert merge(place) == 0
    assert place.run("apply", *QUICK)[0] == 0
    assert place.statuses() == {"up": "done", "then": "done"}


def test_a_wait_goes_on_while_a_task_runs(place: LiveTasks) -> None:
    place.write_tasks(up=task(), slow={"message": "slow"}, asks={"message": "approving"})
    assert place.run("apply", "--yes")[0] == 0
    assert place.run("wait", "--interval", "100ms")[0] == 3
    assert place.statuses() == {"up": "toMerge", "slow": "done", "asks": "waiting"}


def test_a_failure_wins_over_a_merge(place: LiveTasks) -> None:
    place.write_tasks(
        up=task(), bad={"message": "failing"}, then={"message": "a", "after": ["bad"]}
    )
    assert place.run("apply", *QUICK)[0] == 1
    assert place.run("wait")[0] == 1


def test_adding_merged_evaluates_a_success_anew(place: LiveTasks) -> None:
    after = {"message": "finishing", "after": ["up"]}
    place.write_tasks(up=task(expect={"pullRequests": 1}), then=after)
    assert place.run("apply", *QUICK)[0] == 0
    place.write_tasks(up=task(), then=after, last={"message": "finishing last", "after": ["up"]})
    assert actions(place)["last"] == ("held", "after")
    assert place.run("plan", "--detailed-exitcode")[0] == 0
    assert merge(place) == 0
    assert actions(place)["last"] == ("create", "new")


def test_a_recorded_merge_counts_whatever_the_task_does_later(place: LiveTasks) -> None:
    place.write_tasks(up=task(), then={"message": "finishing", "after": ["up"]})
    assert place.run("apply", *QUICK)[0] == 3
    assert merge(place) == 0
    assert place.run("apply", "--yes")[0] == 0
    assert place.run("say", "up", "failing", "-y")[0] == 0
    place.time.advance(1)
    place.write_tasks(up=task(), last={"message": "finishing last", "after": ["up"]})
    assert actions(place)["last"] == ("create", "new")


def test_commands_treat_the_agent_as_finished(to_merge: LiveTasks) -> None:
    code, _, err = to_merge.run("cancel", "up", "-y")
    assert (code, "acme/up: to merge (" in err) == (0, True), err
    assert to_merge.run("say", "up", "failing", "-y")[0] == 0
    to_merge.finish(up="failed")


@pytest.mark.parametrize("pattern", ["acme/other#*", "acme"])
def test_no_pull_request_to_merge_is_an_error(to_merge: LiveTasks, pattern: str) -> None:
    to_merge.capture.readouterr()
    assert merge(to_merge, pattern) == 1
    assert to_merge.capture.readouterr().err.count("TC804") == 1
    assert to_merge.statuses() == {"up": "toMerge"}
