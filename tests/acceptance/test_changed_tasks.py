"""`--update` and `--replace` through the command line, on the embedded service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.fault_server import Fault, Rule
from tests.support.in_process import TEXTS, InProcess
from tests.support.live_tasks import LONGER, LiveTasks
from tests.support.remark_cases import commands_of
from tests.support.sandbox import as_tasks


@pytest.fixture
def place(place: LiveTasks) -> LiveTasks:
    place.apply({"a": "asking work", "b": "finishing"}, approvalMode="manual", name="N")
    return place


def shown(place: LiveTasks, key: str) -> dict[str, Any]:
    found: dict[str, Any] = place.api.call("GET", f"{place.api.tasks}/{place.task_id(key)}").json
    return found


def told(place: LiveTasks, task_id: str) -> list[str]:
    events = place.api.call("GET", f"{place.api.tasks}/{task_id}/events").json["events"]
    return [event["eventBody"]["type"] for event in events]


def edit(place: LiveTasks, **settings: Any) -> None:
    place.write(
        {"a": "asking work", "b": "finishing"}, **{"approvalMode": "manual", "name": "N"} | settings
    )


def test_the_plan_shows_how_to_apply_each_difference(place: LiveTasks) -> None:
    edit(place, approvalMode="auto", planMode=True)
    task = place.document("plan")["tasks"][0]
    assert {c["path"]: c["inPlace"] for c in task["diff"]} == {
        "approvalMode": True,
        "planMode": False,
    }
    assert commands_of(task) == [
        "taskctl apply --update",
        "taskctl state accept acme/a",
        "taskctl apply --replace acme/a",
    ]
    for form in ("text", "markdown", "html"):
        out = place.run("plan", "--format", form)[1]
        assert "in the manifest, in place" in out, form
        assert "needs a new task" in out, form
    assert place.run("plan", "--detailed-exitcode")[0] == 0
    before = (place.folder / "taskctl.state.json").read_bytes()
    assert place.document("apply", "--yes")["tasks"] == []
    assert (place.folder / "taskctl.state.json").read_bytes() == before


def entry(place: LiveTasks, prompt: str, rows: tuple[str, ...] = ("x", "y", "z")) -> None:
    task = {"forEach": {"row": list(rows)}, "message": f"{prompt} {{{{ row }}}}"}
    manifest = {"version": 1, "orgName": "acme", "tasks": {"t": task}}
    (place.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))


def made(place: LiveTasks) -> int:
    return len(place.api.call("GET", place.api.tasks).json["tasks"])


def test_an_edited_prompt_of_a_fleet_is_accepted_or_replaced_with_one_command(
    place: LiveTasks,
) -> None:
    """Repeating the command replaces what is left, which is nothing in the end."""
    entry(place, "finishing")
    assert place.run("apply", "--yes")[0] == 0
    place.time.advance(LONGER)
    entry(place, "finishing faster", ("w", "x", "y"))  # one row is new, another is gone
    plan = place.document("plan")
    ways = {tuple(commands_of(t)) for t in plan["tasks"] if t["action"] == "changed"}
    assert ways == {("taskctl state accept 'acme/t@*'", "taskctl apply --replace 'acme/t@*'")}
    assert "(and the same for the other keys)" not in place.run("plan")[1]
    wish = ("apply", "--yes", "--target", "t@*", "--replace", "acme/t@*")
    assert place.run(*wish, "--max-creates", "2")[0] == 1
    before = made(place)
    results = {t["key"]: t["result"] for t in place.document(*wish)["tasks"]}
    assert results == {"t@w": "created", "t@x": "replaced", "t@y": "replaced"}
    code, _, err = place.run(*wish)
    assert (code, made(place)) == (0, before + 3)
    assert "[TC856]" in err
    entry(place, "finishing with a typo corrected", ("w", "x", "y"))
    code, out, err = place.run("state", "accept", "acme/t@*", "-y")
    assert (code, len(out.splitlines())) == (0, 3), err
    assert place.document("plan")["summary"]["changed"] == 0


def test_an_unfinished_task_is_replaced_only_by_its_id(place: LiveTasks) -> None:
    """Until it is cancelled, two agents work on the same job."""
    kept = {"a": "asking work", "b": "finishing"}
    place.apply({**kept, "x": "endless", "y": "finishing too"})
    old, done = place.task_id("x"), place.task_id("y")
    place.time.advance(LONGER)
    place.write({**kept, "x": "endless and more", "y": "finishing too, and more"})
    code, out, err = place.run("apply", "--yes", "--replace", "x")
    assert (code, "[TC855]" in err, place.task_id("x")) == (1, True, old)
    for command in (f"taskctl cancel acme/{old} ", f"--replace acme/x={old} "):
        assert command in err
    planned = place.document("plan", "--replace", "acme/*")
    (left,) = [task for task in planned["tasks"] if task["key"] == "x"]
    assert (left["action"], planned["failReasons"]) == ("changed", [])
    assert f"taskctl cancel acme/{old}" in commands_of(left)
    code, out, _ = place.run("apply", "--yes", "--replace", "acme/*")
    assert (code, place.task_id("x")) == (0, old)
    assert f"replaces {done}\n" in out
    assert "taskctl cancel" not in out[out.index("replaces") :]
    _, out, _ = place.run("apply", "--yes", "--replace", f"x={old}")
    assert f"replaces {old}\n" in out
    assert f"      taskctl cancel acme/{old} " in out
    assert place.task_id("x") != old


def test_a_task_whose_status_cannot_be_read_is_not_replaced(here: InProcess) -> None:
    here.run("apply")
    texts = {**TEXTS, "k2": "do 2 otherwise"}
    here.sandbox.write(as_tasks(texts, named=["k1"]))
    old = here.sandbox.recorded()["k2"]
    here.server.set_rules(Rule("events", Fault("status", status=500), task=old))
    ended = here.run("apply", "--replace", "k2")
    assert (ended.code, [d["code"] for d in ended.document["diagnostics"]]) == (1, ["TC855"])
    assert here.run("plan", "--replace", "k*").actions()["k2"] == "changed"
    assert here.sandbox.recorded()["k2"] == old


def test_a_setting_that_could_not_be_set_has_not_changed_at_the_service(here: InProcess) -> None:
    here.sandbox.write({"a": {"message": "do it", "name": "N", "isShared": True}})
    here.server.set_rules(Rule("patch", Fault("status", status=403)))
    assert here.run("apply").code == 1
    here.server.set_rules()
    (task,) = here.run("plan").document["tasks"]
    assert [(c["path"], c["origin"]) for c in task["diff"]] == [
        ("isShared", "manifest"),
        ("name", "manifest"),
    ]
    assert "will not modify" not in here.run("plan", "--format", "text").stdout
    assert here.run("apply").results() == {"a": "updated"}


def test_a_gone_task_is_replaced_only_if_that_is_allowed(here: InProcess) -> None:
    here.run("apply")
    old = here.sandbox.recorded()["k2"]
    here.server.world.tasks = [t for t in here.server.world.tasks if t.id != old]
    here.server.world.by_id.pop(old)
    here.sandbox.write(as_tasks({**TEXTS, "k2": "do 2 otherwise"}, named=["k1"]))
    here.server.habits.clock_offset = 15.0
    ended = here.run("apply", "--replace", "k2")
    assert ended.code == 1
    (problem,) = [d for d in ended.document["diagnostics"] if d["code"] == "TC855"]
    assert "--allow-recreate=acme/k2" in problem["detail"]
    assert here.run("apply", "--replace", "k2", "--allow-recreate=k2").code == 0
    assert here.sandbox.recorded()["k2"] != old


def patched(place: LiveTasks, key: str, **settings: Any) -> None:
    """Somebody changes a task at the service."""
    done = place.api.call("PATCH", f"{place.api.tasks}/{place.task_id(key)}", settings)
    assert done.status == 200


def test_update_sets_what_the_manifest_declares_and_nothing_else(place: LiveTasks) -> None:
    patched(place, "b", name="Theirs", isShared=True)
    edit(place, approvalMode="auto", planMode=True)
    assert place.run("plan", "--update", "--detailed-exitcode")[0] == 2
    planned = place.document("plan", "--update")
    assert planned["summary"]["update"] == 2
    assert [t["update"] for t in planned["tasks"]] == [["approvalMode"], ["approvalMode", "name"]]
    done = place.document("apply", "--update", "--yes")
    assert done["summary"]["updated"] == 2
    assert [t["result"] for t in done["tasks"]] == ["updated", "updated"]
    assert (shown(place, "b")["name"], shown(place, "b")["isShared"]) == ("N", True)
    assert shown(place, "b")["approvalMode"] == "auto"
    left = place.document("plan", "--update")
    assert left["summary"]["update"] == 0
    assert {c["path"] for c in left["tasks"][0]["diff"]} == {"planMode"}
    before = (place.folder / "taskctl.state.json").read_bytes()
    assert place.document("apply", "--update", "--yes")["tasks"] == []
    assert (place.folder / "taskctl.state.json").read_bytes() == before


CAREFUL = {"approvalMode": "manual", "permissionMode": "read-only"}
DRIFTED = {"approvalMode": "auto", "permissionMode": "default"}


def careless(report: dict[str, Any]) -> list[str]:
    return [d["key"] for d in report["diagnostics"] if d["code"] == "TC746"]


def test_update_reconciles_what_drifted_at_the_service(place: LiveTasks) -> None:
    place.apply({"c": "asking more"}, **CAREFUL)
    patched(place, "c", **DRIFTED)
    assert place.run("plan", "--detailed-exitcode")[0] == 0
    planned = place.document("plan")
    (task,) = (task for task in planned["tasks"] if task["key"] == "c")
    assert (task["action"], task["reason"]) == ("changed", "changed")
    assert {c["path"]: (c["before"], c["after"], c["origin"]) for c in task["diff"]} == {
        name: (DRIFTED[name], CAREFUL[name], "remote") for name in CAREFUL
    }
    assert commands_of(task) == ["taskctl apply --update"]
    (warned,) = (d for d in planned["diagnostics"] if d["code"] == "TC746")
    assert (warned["severity"], warned["key"]) == ("warning", "c")
    assert "approvalMode=auto and permissionMode=default" in warned["summary"]
    assert "taskctl apply --update" in warned["detail"]
    for form in ("text", "markdown", "html", "sarif", "github", "junit"):
        _, report, said = place.run("plan", "--format", form)
        assert "less restricted than its manifest" in report + said, form
    assert place.run("plan", "--update", "--detailed-exitcode")[0] == 2
    assert careless(place.document("plan", "--update")) == []
    assert place.document("apply", "--update", "--yes")["summary"]["updated"] == 1
    assert {name: shown(place, "c")[name] for name in CAREFUL} == CAREFUL
    assert place.run("plan", "--update", "--detailed-exitcode")[0] == 0
    settled = place.document("plan")
    assert (settled["summary"]["changed"], careless(settled)) == (0, [])


@pytest.mark.parametrize("shared", [True, False])
def test_a_plan_names_the_only_user_who_can_update_a_task(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    place.apply({"c": "work"}, approvalMode="manual", isShared=shared)
    place.write({"c": "work"}, approvalMode="balanced", isShared=shared)
    (own,) = place.document("plan", "--target", "c")["tasks"]
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "colleague")
    (other,) = place.document("plan", "--target", "c")["tasks"]
    assert commands_of(own) == commands_of(other) == ["taskctl apply --update --target c"]
    named = [task["hints"][0]["text"].startswith("Only user-") for task in (own, other)]
    assert named == [False, True]
    planned = place.document("plan", "--target", "c", "--update")
    assert planned["summary"]["update"] == 0
    assert "TC742" in [each["code"] for each in planned["diagnostics"]]


@pytest.mark.parametrize(
    ("prompt", "warned"), [("asking more", ["c"]), ("finishing soon", []), ("slow work", ["c"])]
)
def test_only_an_unfinished_task_is_reported_as_less_careful(
    place: LiveTasks, prompt: str, warned: list[str]
) -> None:
    """The service calls a task that waits for a person idle, like one that has finished."""
    place.time.stop()
    place.apply({"c": prompt}, **CAREFUL)
    place.time.advance(LONGER)
    patched(place, "c", **DRIFTED)
    assert careless(place.document("plan")) == warned
    patched(place, "c", **CAREFUL)
    place.write({"c": prompt}, **DRIFTED)
    assert careless(place.document("plan")) == []  # more careful than its manifest


def test_an_undeclared_setting_keeps_its_value_and_is_recorded(place: LiveTasks) -> None:
    place.apply({"c": "finishing soon"}, approvalMode="manual", name="N")
    place.write({"c": "finishing soon"}, name="N")
    (task,) = (t for t in place.document("plan")["tasks"] if t["key"] == "c")
    assert (task["action"], task["diff"][0]["inPlace"]) == ("changed", False)
    assert place.document("apply", "--update", "--yes")["summary"]["updated"] == 1
    assert shown(place, "c")["approvalMode"] == "manual"
    (task,) = (t for t in place.document("plan")["tasks"] if t["key"] == "c")
    assert task["action"] == "unchanged"
    patched(place, "c", approvalMode="auto")  # nobody's business: no manifest declares it
    assert place.document("plan")["summary"]["changed"] == 0


@pytest.mark.parametrize("flags", [["--update"], ["--replace", "*"]])
def test_a_saved_plan_keeps_the_flags(place: LiveTasks, flags: list[str]) -> None:
    place.time.advance(LONGER)
    settings: dict[str, Any] = {"message": "finishing", "name": "N"}
    edited = {"b": {**settings, "approvalMode": "auto", "planMode": True}}
    tasks = {"a": {**settings, "message": "asking work", "approvalMode": "auto"}, **edited}
    manifest = {"version": 1, "orgName": "acme", "tasks": tasks}
    (place.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))
    word = "  ~ update " if flags == ["--update"] else "  -/+ replace "
    code, out, _ = place.run("plan", *flags, "--out", "with.taskctl")
    assert (code, word in out) == (0, True)
    assert place.run("plan", "--out", "without.taskctl")[0] == 0
    code, _, err = place.run("apply", "without.taskctl", *flags)
    assert code == 1
    assert "[TC653]" in err
    done = place.document("apply", "with.taskctl")
    expected = {"a": "updated", "b": "updated"} if flags == ["--update"] else {"b": "replaced"}
    assert {t["key"]: t["result"] for t in done["tasks"]} == expected
    assert place.run("apply", "with.taskctl")[0] == 1


def test_a_replaced_task_can_be_cancelled_by_its_id(place: LiveTasks) -> None:
    first = place.task_id("a")
    place.write({"a": "asking and edited", "b": "finishing"}, approvalMode="manual", name="N")
    assert place.run("plan", "--replace", f"a={first}", "--detailed-exitcode")[0] == 2
    done = place.document("apply", "--yes", "--replace", f"a={first}")
    counted = {name: count for name, count in done["summary"].items() if count}
    assert counted == {"replaced": 1}
    (task,) = done["tasks"]
    assert (task["replaced"], task["taskId"]) == (first, place.task_id("a"))
    assert "user_cancel" not in told(place, first)
    second = place.task_id("a")
    assert place.run("apply", "--yes", "--replace", f"a={second}")[0] == 0
    assert place.run("cancel", second, "-y")[:2] == (0, f"acme/{second}: Cancelled.\n")
    assert place.statuses()["a"] in ("running", "waiting")
    assert place.run("cancel", "nobodys", "-y")[0] == 1


@pytest.mark.parametrize("is_entry", [True, False])
def test_replaced_tasks_that_are_shown_together_are_all_named(
    place: LiveTasks, *, is_entry: bool
) -> None:
    names = [f"e@{n}" if is_entry else f"e{n}" for n in "vwxyz"]
    place.time.stop()
    for sign in "!?":
        entry = {"forEach": {"n": [*"vwxyz"]}, "message": f"look at {{{{ n }}}}{sign}"}
        single = {name: {"message": f"look at {name}{sign}"} for name in names}
        manifest = {"version": 1, "orgName": "acme", "tasks": {"e": entry} if is_entry else single}
        (place.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))
        if sign == "!":
            place.run("apply", "--yes")
    out = place.run("plan", "--replace", "e*")[1]
    assert "replaced: the status of its task is" in " ".join(out.split())
    place.time.advance(LONGER)
    out = place.run("plan", "--replace", "e*")[1]
    assert "ended" in out
    assert [name for name in names if place.task_id(name) not in out] == []


def test_an_invalid_replace_is_reported_before_anything_is_sent(place: LiveTasks) -> None:
    def said(*flags: str) -> str:
        before = len(place.api.call("GET", place.api.tasks).json["tasks"])
        code, _, err = place.run("apply", "--yes", *flags)
        assert code == 1, err
        assert len(place.api.call("GET", place.api.tasks).json["tasks"]) == before
        return err

    assert "KEY=TASK_ID" in said("--replace", "a=")
    assert "KEY=TASK_ID" in said("--replace", "a*=x")
    unknown = said("--replace", "x")  # and no command that fails in the same way
    assert ("[TC855]" in unknown, "--replace x " in unknown) == (True, False)
    assert "taskctl state list" in unknown
    assert "[TC855]" in said("--replace", "x*")
    assert "[TC855]" in said("--replace", "a=other")
    assert "[TC855]" in said("--replace", "a", "--target", "b*")
    assert f"--replace a={place.task_id('a')}" in said("--replace", "a")
    place.time.advance(LONGER)
    edit(place, planMode=True)
    assert "[TC5" in said("--replace", "*", "--max-creates", "0")
    place.write({"a": "asking work", "new": "finishing"}, approvalMode="manual", name="N")
    assert "[TC855]" in said("--replace", "new")
    assert "[TC855]" in said("--replace", "b")
    manifest = place.folder / "tasks" / "all.yaml"
    known = {"version": 1, "orgName": "acme", "tasks": {"a": {"taskID": place.task_id("a")}}}
    manifest.write_text(json.dumps(known))
    assert "[TC855]" in said("--replace", "a")


def test_a_gone_task_is_replaced(here: InProcess) -> None:
    here.run("apply")
    old = here.sandbox.recorded()["k2"]
    here.server.world.tasks = [t for t in here.server.world.tasks if t.id != old]
    here.server.world.by_id.pop(old)
    here.sandbox.write(as_tasks(TEXTS, named=["k1"]))
    # A task that was just created may be hidden for a while; the clock has whole seconds.
    here.server.habits.clock_offset = 15.0
    document = here.run("plan").document
    assert [t["reason"] for t in document["tasks"] if t["key"] == "k2"] == ["notFound"], document
    ended = here.run("apply", "--replace", f"k2={old}")
    assert ended.results() == {"k2": "replaced"}
    assert ended.document["diagnostics"] == []
    here.assert_settled()


def test_a_task_of_another_user_is_not_called_gone_when_replaced(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.run("apply")
    here.server.habits.tokens["pul-" + "f" * 40] = "other"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-" + "f" * 40)
    wish = f"k2={here.sandbox.recorded()['k2']}"
    plan = here.run("plan", "--replace", wish).document
    (task,) = [task for task in plan["tasks"] if task["key"] == "k2"]
    assert "keeps running and is visible only to me-login" in task["note"]


def test_a_limited_plan_suggests_nothing_for_what_it_leaves_out(place: LiveTasks) -> None:
    entry(place, "finishing")
    assert place.run("apply", "--yes")[0] == 0
    entry(place, "finishing faster")
    (task,) = place.document("plan", "--target", "t@x")["tasks"]
    ways = ["taskctl state accept acme/t@x", "taskctl apply --replace acme/t@x --target t@x"]
    assert commands_of(task) == ways
    targets = [f"--target=t@{row}" for row in "xyz"]
    listed = place.document("plan", *targets)["tasks"]
    assert {commands_of(task)[0] for task in listed} == {"taskctl state accept 'acme/t@*'"}


def test_an_edit_before_a_task_is_recorded_is_no_change_at_the_service(place: LiveTasks) -> None:
    place.apply({"one": "finishing early"}, approvalMode="manual", name="Mine")
    state = place.folder / "taskctl.state.json"
    (lost,) = json.loads(state.read_text())["provenance"]["ids"]
    state.unlink()
    place.write({"one": "finishing early"}, approvalMode="auto", name="Mine")
    assert place.run("state", "init", "--continue", lost, "-y")[0] == 0
    (task,) = [t for t in place.document("plan")["tasks"] if t["key"] == "one"]
    (change,) = task["diff"]
    assert change["origin"] == "manifest"
    assert (change["before"], change["after"]) == ("manual", "auto")
    place.write({"one": "finishing early"}, approvalMode="manual", name="Mine")
    assert place.document("plan")["summary"]["changed"] == 0
