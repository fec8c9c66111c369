"""Order: `after` holds the first create of a task until others are done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.support.embedded_client import lose_tasks
from tests.support.live_tasks import LiveTasks


def write(place: LiveTasks, name: str = "all", **tasks: dict[str, Any]) -> None:
    path = place.folder / "tasks" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"version": 1, "orgName": "acme", "tasks": tasks}))


def task(text: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"message": text, **({"after": list(after)} if after else {}), **more}


def rows(*names: str) -> dict[str, Any]:
    return {"forEach": {"row": list(names)}}


MONTHLY = {"every": "month", "message": "costs of {{ previous.name }}"}
NETWORK = {
    "forEach": {"row": ["network", "legacy"], "exclude": [{"row": "legacy"}]},
    "message": "Upgrade {{ row }} JSON",
}
NOTHING = {"row": [], "atLeast": 0}


def planned(place: LiveTasks, *more: str) -> dict[str, tuple[str, str]]:
    tasks = place.document("plan", *more)["tasks"]
    return {each["key"]: (each["action"], each["reason"]) for each in tasks}


def validated(place: LiveTasks, *paths: str) -> tuple[int, str]:
    place.capture.readouterr()
    code = run(["-C", str(place.folder), "validate", *paths])
    return code, place.capture.readouterr().err


def test_a_task_is_held_until_the_one_before_it_is_done(place: LiveTasks) -> None:
    place.time.stop()
    write(place, first=task("finishing"), second=task("finishing 2", "first"))
    assert planned(place)["second"] == ("held", "after")
    assert place.run("apply", "--yes")[0] == 0
    assert planned(place)["second"] == ("held", "after")
    assert planned(place, "--target", "second")["second"] == ("held", "after")
    assert "waiting until these tasks are done (`after`): first (running" in place.run("plan")[1]
    place.time.advance(1)
    assert planned(place)["second"] == ("create", "new")
    assert place.document("apply", "--yes")["summary"]["created"] == 1
    assert place.run("say", "first", "failing now", "-y")[0] == 0
    assert planned(place)["second"] == ("unchanged", "same")


def test_an_entry_waits_for_all_tasks_or_row_by_row(place: LiveTasks) -> None:
    place.time.stop()
    write(
        place,
        up={**rows("a", "b"), "message": "{{ row }}"},
        all=task("report", "up"),
        each={**rows("a", "b"), **task("check {{ row }}", "up@{{ row }}")},
    )
    path = place.folder / "tasks" / "all.yaml"
    path.write_text(path.read_text().replace('"{{ row }}"', '"slow {{ row }}"', 1))
    assert place.run("apply", "--yes")[0] == 0
    place.time.advance(1)
    assert planned(place)["each@a"] == ("create", "new")
    assert planned(place)["all"] == ("create", "new")


def test_a_failed_predecessor_stops_its_followers(place: LiveTasks) -> None:
    write(place, first=task("failing"), second=task("x", "first"), third=task("y", "second"))
    assert place.run("apply", "--yes")[0] == 0
    place.finish(first="failed")
    found = planned(place)
    assert found["second"] == found["third"] == ("held", "stopped")
    document = place.document("plan")
    assert document["applyWillFail"] is False
    code, out, err = place.run("apply", "--yes")
    assert (code, "[TC318]" in err) == (0, True), out
    assert "first (failed)" in place.run("plan")[1]


@pytest.mark.parametrize("end", ["cancelled", "stopped", "gone"])
def test_a_predecessor_that_ended_otherwise_stops_its_followers(place: LiveTasks, end: str) -> None:
    words = {"cancelled": "endless", "stopped": "stopping", "gone": "finishing"}
    write(place, first=task(words[end]), second=task("x", "first"))
    assert place.run("apply", "--yes")[0] == 0
    if end == "cancelled":
        assert place.run("cancel", "first", "--yes")[0] == 0
    settled = ("--settle-time", "100ms")
    if end == "gone":
        forget(place, "first")
        place.time.advance(5)
    else:
        place.finish(first=end)
    found = planned(place, *settled)
    assert found["second"] == ("held", "stopped")
    code, out, _ = place.run("apply", "--yes", *settled)
    assert code == 0
    assert f"first ({end}" in out


def test_a_recorded_success_counts_whatever_the_task_does_later(place: LiveTasks) -> None:
    write(place, first=task("finishing"), second=task("finishing 2", "first"))
    assert place.run("apply", "--yes", "--wait", "--interval", "100ms")[0] == 0
    assert place.run("say", "first", "failing now", "-y")[0] == 0
    place.finish(first="failed", second="done")
    third = task("finishing 3", "first")
    write(place, first=task("finishing"), second=task("finishing 2", "first"), third=third)
    assert planned(place)["third"] == ("create", "new")


def test_a_success_for_another_expectation_stands_until_it_is_evaluated(place: LiveTasks) -> None:
    first = task("answering", expect={"pullRequests": 1})
    write(place, first=first, second=task("finishing 2", "first"))
    assert place.run("apply", "--yes", "--wait", "--interval", "100ms")[0] == 0
    first["expect"] = {"pullRequests": 2}
    write(place, first=first, third=task("finishing 3", "first"))
    assert planned(place)["third"] == ("held", "stopped")
    place.time.stop()
    assert place.run("say", "first", "answering again", "-y")[0] == 0
    assert place.statuses()["first"] == "running"
    assert planned(place)["third"] == ("create", "new")


def test_explicit_creates_are_not_held_and_filters_release_nothing(place: LiveTasks) -> None:
    write(place, other=task("failing"), second=task("finishing 2"))
    assert place.run("apply", "--yes")[0] == 0
    place.finish(other="failed", second="done")
    late = task("finishing 4", "other")
    write(place, other=task("failing"), second=task("finishing 3", "other"), late=late)
    wish = ("--replace", f"second={place.task_id('second')}")
    for more in ((), ("--target", "late"), wish):
        assert planned(place, *more)["late"] == ("held", "stopped"), more
    assert planned(place, *wish)["second"][0] == "replace"
    forget(place, "second")
    place.time.advance(5)
    old = ("--settle-time", "100ms")  # long enough ago to be visible
    assert planned(place, *old)["second"] == ("gone", "notFound")
    assert planned(place, *old, "--allow-recreate")["second"] == ("gone", "recreate")


def forget(place: LiveTasks, key: str) -> None:
    """The service loses the task."""
    lose_tasks(place.folder / "service.db", place.task_id(key))


def test_an_unmet_predecessor_holds_until_it_is_corrected(place: LiveTasks) -> None:
    write(
        place,
        first=task("answering JSON", expect={"data": {"type": "object"}}),
        second=task("x", "first"),
    )
    assert place.run("apply", "--yes")[0] == 0
    place.finish(first="unmet")
    assert planned(place)["second"] == ("held", "stopped")
    assert place.run("say", "first", "answering ```json {} ```", "-y")[0] == 0
    place.finish(first="done")
    assert planned(place)["second"] == ("create", "new")


def test_a_held_task_takes_no_slot_and_wait_continues(place: LiveTasks) -> None:
    write(
        place,
        first=task("finishing"),
        many={**rows("a", "b"), **task("do {{ row }}", "first"), "rollout": {"atOnce": 1}},
        last=task("z", "many"),
    )
    code, out, err = place.run("apply", "--yes", "--wait", "--interval", "100ms")
    assert code == 0, out + err
    assert set(place.statuses().values()) == {"done"}
    assert len(place.statuses()) == 4


def test_a_pilot_that_cannot_start_stops_its_entry(place: LiveTasks) -> None:
    many = {**rows("a", "b"), **task("do {{ row }}", "first"), "rollout": {"pilot": 1}}
    write(place, first=task("failing"), many=many)
    assert place.run("apply", "--yes")[0] == 0
    place.finish(first="failed")
    assert set(planned(place).values()) >= {("held", "stopped")}
    assert planned(place)["many@b"] == ("held", "stopped")


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ({}, ("held", "after")),
        ({"from": "2026-06-11"}, ("held", "after")),
        ({"until": "2026-06-10"}, ("create", "new")),
        ({"from": "2026-06-12"}, ("create", "new")),
    ],
)
def test_a_period_that_is_not_due_there_yet_holds(
    place: LiveTasks, days: dict[str, str], expected: tuple[str, str]
) -> None:
    """In Tokyo it is tomorrow already; a day that the named entry leaves out holds nothing."""
    west = task("x", every="day", timezone="America/Los_Angeles", **days)
    write(place, west=west, east=task("y", "west", every="day", timezone="Asia/Tokyo"))
    assert planned(place, "--at", "2026-06-10T20:00:00Z")["east@2026-06-11"] == expected


def test_a_period_that_nothing_can_create_any_more_is_an_alarm(place: LiveTasks) -> None:
    """The month of the waiting entry ends later than that of the entry that it waits for."""
    first = {**MONTHLY, "message": "first {{ previous.name }}", "timezone": "Asia/Tokyo"}
    west = {**MONTHLY, "after": ["first"], "timezone": "America/Los_Angeles"}
    write(place, first=first, second=west)
    at = ("--at", "2026-05-31T20:00:00Z")
    found = planned(place, *at)
    assert found["second@2026-05"] == ("held", "stopped")
    assert found["first@2026-06"] == ("create", "new")
    assert "first@2026-05 (period is over)" in place.run("plan", *at)[1]
    write(place, first=first, third=task("x", "first@2026-05"))
    assert planned(place, *at)["third"] == ("held", "stopped")


def test_a_past_period_counts_by_its_record_with_what_is_expected(place: LiveTasks) -> None:
    first = {"every": "month", "message": "answering JSON {{ period.name }}"}
    expect = {"data": {"type": "object"}}
    write(place, first={**first, "expect": expect})
    assert place.run("apply", "--yes")[0] == 0
    (key,) = place.statuses()
    place.finish(**{key: "unmet"})
    second = task("x", key)
    write(place, first={**first, "expect": expect, "from": "2020-01-01"}, second=second)
    later = ("--at", "2999-01-01")
    assert planned(place, *later)["second"] == ("held", "stopped")
    assert place.run("say", key, "answering ```json {} ```", "-y")[0] == 0
    place.finish(**{key: "done"})
    assert planned(place, *later)["second"] == ("create", "new")


def test_a_predecessor_that_moves_is_shown_with_its_status(place: LiveTasks) -> None:
    place.time.stop()
    write(place, old=task("finishing"))
    assert place.run("apply", "--yes")[0] == 0
    write(place, new=task("finishing", movedFrom="old"), second=task("x", "new"))
    assert planned(place) == {"new": ("move", "moved"), "second": ("held", "after")}
    assert "(`after`): new (running" in place.run("plan")[1]


@pytest.mark.parametrize("command", ["status", "show", "logs", "cancel"])
def test_a_declared_task_that_is_not_created_yet_is_no_mistake(
    place: LiveTasks, command: str
) -> None:
    write(place, first=task("finishing"), second=task("x", "first"))
    assert place.run("apply", "--yes")[0] == 0
    code, _, err = place.run(command, "second")
    assert (code, "second has not been created yet [TC818]" in err) == (1, True), err
    assert "taskctl plan --target second " in err
    assert "[TC617]" in place.run(command, "third")[2]


def test_a_predecessor_that_is_created_again_holds_like_a_replaced_one(place: LiveTasks) -> None:
    write(place, first=task("finishing"), second=task("x", "first"))
    assert place.run("apply", "--yes")[0] == 0
    old = place.task_id("first")
    forget(place, "first")
    place.time.advance(500)
    for option in ("--allow-recreate=first", f"--replace=first={old}"):
        found = planned(place, "--settle-time", "100ms", option)
        assert found["second"] == ("held", "after"), option


def test_a_task_that_is_not_visible_yet_is_not_gone(place: LiveTasks) -> None:
    write(place, first=task("finishing"), second=task("x", "first"))
    assert place.run("apply", "--yes")[0] == 0
    forget(place, "first")
    found = planned(place)
    assert found == {"first": ("unchanged", "fresh"), "second": ("held", "after")}
    assert planned(place, "--target", "second")["second"] == ("held", "after")


def test_entries_of_two_organizations_with_one_name_have_their_own_periods(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry of the other organization leaves out the day that this one has not reached."""
    west = task("x", every="day", timezone="America/Los_Angeles")
    east = task("y", "west", every="day", timezone="Asia/Tokyo")
    write(place, west=west, east=east)
    path, other = (place.folder / "tasks" / name for name in ("all.yaml", "other.yaml"))
    path.write_text(path.read_text().replace('"orgName": "acme", ', ""))  # the default's
    moon = {**west, "until": "2026-06-10"}
    document = {"version": 1, "orgName": "moon", "tasks": {"west": moon, "east": east}}
    other.write_text(json.dumps(document))
    monkeypatch.setenv("TASKCTL_ORG", "acme")
    at = ("--at", "2026-06-10T20:00:00Z")
    for paths in ((), ("tasks/all.yaml",), ("tasks/other.yaml",)):
        tasks = place.document("plan", *at, *paths)["tasks"]
        found = {t["orgName"]: t["action"] for t in tasks if t["key"] == "east@2026-06-11"}
        expected = {"acme": "held", "moon": "create"}
        assert found.items() <= expected.items(), paths
        assert len(found) == (1 if paths else 2)


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ({"a": task("x", "b")}, 'no task or entry "b"'),
        ({"a": task("x", "a")}, "waits for itself"),
        ({"a": task("x", "b"), "b": task("y", "a")}, "wait for each other: a, b"),
        ({"a": {**rows("1"), **task("x", "a@1")}}, "waits for itself"),
        ({"a": task("x", "b"), "b": task("y", orgName="other")}, "another organization"),
        ({"a": task("x", "b", taskID="t-1"), "b": task("y")}, "already exists"),
        ({"a": task("x", "b"), "b": task("y", every="day")}, "a different period"),
        ({"a": task("x", "b"), "b": {**MONTHLY, "from": "2999-01-01"}}, "a different period"),
        ({"a": {**MONTHLY, "after": ["b"]}, "b": {**MONTHLY, "from": "2999-01-01"}}, None),
        ({"a": task("x", "up@nettwork"), "up": NETWORK}, "did you mean `up@network`?"),
        ({"a": task("x", "upp"), "up": NETWORK}, "did you mean `up`?"),
        ({"a": task("x", "up@legacy"), "up": NETWORK}, "cannot generate"),
        ({"a": task("x", "b@blah"), "b": MONTHLY}, "cannot generate"),
        ({"a": task("x", "b@2026-13"), "b": MONTHLY}, "cannot generate"),
        ({"a": task("x", "b@2999-01"), "b": MONTHLY}, "cannot generate"),
        ({"a": task("x", "b@2020-01"), "b": MONTHLY}, None),
        ({"a": task("x", "b@2020-01"), "b": {**MONTHLY, "from": "2020-01-02"}}, "cannot generate"),
        ({"a": task("x", "b@nettwork@2020-01"), "b": {**MONTHLY, **NETWORK}}, "b@network@2020-01"),
        ({"a": task("x", "b@network@2020-01"), "b": {**MONTHLY, **NETWORK}}, None),
        (
            {
                "a": task("x", "b@nettwork@2020-01"),
                "b": {**MONTHLY, **NETWORK, "from": "2019-01-01", "until": "2020-02-01"},
            },
            "did you mean `b@network@2020-01`?",
        ),
        ({"a": task("x", "none"), "none": {**NETWORK, "forEach": NOTHING}}, None),
        ({"a": task("x", "up"), "up": {**NETWORK, "orgName": "other"}}, "another organization"),
        ({"a": task("x", "up@network"), "up": {**NETWORK, "orgName": "other"}}, "another org"),
        (
            {
                "a": {**rows("1", "2"), **task("x {{ row }}"), "rollout": {"pilot": 1}},
                "b": task("y", "a@2"),
                "c": {**rows("1"), **task("z {{ row }}", "b")},
            },
            None,
        ),
        (
            {
                "a": {
                    **rows("1", "2"),
                    **task("x {{ row }}", "b@{{ row }}"),
                    "rollout": {"pilot": 1},
                },
                "b": {**rows("1", "2"), **task("y {{ row }}"), "rollout": {"pilot": 1}},
            },
            None,
        ),
    ],
)
def test_what_after_may_name(place: LiveTasks, tasks: dict[str, Any], says: str | None) -> None:
    write(place, **tasks)
    code, err = validated(place)
    if says is None:
        assert code == 0, err
    else:
        assert code == 1
        assert says in err


def test_the_organization_of_what_after_names_may_be_the_default_one(place: LiveTasks) -> None:
    """Whether both are in one organization is known only once the default one is."""
    tasks = {"a": task("finishing a"), "b": task("finishing b", "a", orgName="acme")}
    tasks["c"] = task("finishing c", "b")
    monthly = {**MONTHLY, "from": "2999-01-01"}
    tasks["d"] = {**MONTHLY, "message": "finishing {{ period.name }}", "after": ["e"]}
    tasks["e"] = {**monthly, "orgName": "acme", "until": "2999-02-01"}
    path = place.folder / "tasks" / "all.yaml"
    path.parent.mkdir()
    path.write_text(json.dumps({"version": 1, "tasks": tasks}))
    assert validated(place)[0] == 0
    code, _, err = place.run("plan", "--org", "other")
    assert (code, err.count("[TC320]"), err.count("another organization")) == (1, 3, 3)
    made = planned(place, "--org", "acme")
    assert [made[key] for key in "abc"] == [("create", "new"), *[("held", "after")] * 2]


def test_a_cycle_through_a_pilot_over_two_files_names_both_places(place: LiveTasks) -> None:
    pilot = {**rows("1", "2"), **task("x {{ row }}", "b"), "rollout": {"pilot": 1}}
    write(place, "a", a=pilot)
    write(place, "b", b=task("y", "a@2"))
    code, err = validated(place)
    assert code == 1
    assert "tasks/a.yaml:1" in err
    assert "tasks/b.yaml:1" in err
    code, err = validated(place, "tasks/b.yaml")
    assert 'no task or entry "a@2"' in err
    assert "add that file to the command line" in err


def test_a_task_that_waits_for_itself_is_one_error(place: LiveTasks) -> None:
    write(place, a=task("x", "a"))
    assert validated(place)[1].count("error:") == 1


def test_other_names_for_after_are_recognized(place: LiveTasks) -> None:
    for name in ("needs", "dependsOn", "depends_on"):
        write(place, a={"message": "x", name: ["b"]})
        assert "after" in validated(place)[1]


def test_waiting_for_a_task_that_is_not_visible_yet_makes_no_waves(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = task("finishing")
    write(place, first=first)
    assert place.run("apply", "--yes")[0] == 0
    forget(place, "first")
    write(place, first=first, second=task("x", "first"))
    waves: list[str] = []
    monkeypatch.setattr(
        "reconciler.app.apply._LaterWaves._continue", lambda *_: waves.append("again")
    )
    assert place.run("apply", "--yes", "--wait", "--interval", "1s", "--timeout", "5s")[0] == 1
    assert not waves
