"""Lost responses to replacements and updates: one new task per replacement, none reverted, none
lost. On a real server with injected faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.fault_world import References
from tests.support.in_process import TEXTS, InProcess, in_process, limit_creates
from tests.support.remark_cases import commands_of
from tests.support.sandbox import TOKEN, Ended, as_tasks

WISH = ("--replace", "k*")


@pytest.fixture
def here(here: InProcess) -> InProcess:
    assert here.run("apply").code == 0
    here.finish("k2")
    tasks = as_tasks(TEXTS, named=["k1"])
    here.sandbox.write({**tasks, "k2": {**tasks["k2"], "planMode": True}})
    return here


def faults(here: InProcess, *rules: Rule) -> None:
    here.server.set_rules(*rules)


def tasks_of(here: InProcess, key: str) -> list[str]:
    return here.server.tasks_by_work()[TEXTS[key]]


def record_of(here: InProcess, key: str) -> dict[str, Any]:
    found: dict[str, Any] = here.sandbox.state()["tasks"][f"acme/{key}"]
    return found


def assert_replaced_once(here: InProcess, old: str) -> None:
    """Two tasks in total, the new one recorded, the old one as former; nothing left to do."""
    made = tasks_of(here, "k2")
    assert made[0] == old
    assert len(made) == 2
    assert record_of(here, "k2")["taskId"] == made[1]
    assert record_of(here, "k2")["formerTaskIds"] == [old]
    assert not here.sandbox.state()["attempts"]
    before = (here.sandbox.folder / "taskctl.state.json").read_bytes()
    assert here.run("apply").document["tasks"] == []
    assert (here.sandbox.folder / "taskctl.state.json").read_bytes() == before


LOST = {
    "reset, done": Fault("reset", committed=True),
    "reset, nothing done": Fault("reset"),
    "a proxy's page, done": Fault("html", status=502, committed=True),
    "a proxy's page, nothing done": Fault("html", status=502),
    "garbage": Fault("garbage"),
    "too late": Fault(after=1.0),
}


@pytest.mark.parametrize("case", LOST)
def test_a_replacement_whose_response_is_lost_creates_one_task(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    old = record_of(here, "k2")["taskId"]
    faults(here, Rule("create", LOST[case], nth=(1,)))
    if LOST[case].after:
        limit_creates(monkeypatch, 0.5)
    ended = here.run("apply", *WISH)
    assert ended.code == 0, ended.stdout
    assert ended.results() == {"k2": "replaced"}
    assert_replaced_once(here, old)


@pytest.fixture
def new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[InProcess]:
    """Without any task."""
    with in_process(tmp_path, monkeypatch, capsys) as new:
        yield new


@pytest.mark.parametrize("references", ["stripped", "cut", "redacted"])
@pytest.mark.parametrize("committed", [True, False])
def test_at_a_service_that_loses_the_last_line_a_person_names_the_new_task(
    new: InProcess, references: References, *, committed: bool
) -> None:
    """The old task has the same prompt, and is not mistaken for the new one."""
    new.server.habits.references = references
    assert new.run("apply").code == 0
    old = record_of(new, "k2")["taskId"]
    new.server.set_rules(Rule("create", Fault("reset", committed=committed), nth=(1,)))
    ended = new.run("apply", "--replace", f"k2={old}")
    if not committed:
        assert ended.results() == {"k2": "replaced"}
    else:
        assert ended.results() == {"k2": "unresolved"}
        assert record_of(new, "k2")["taskId"] == old
        assert new.run("apply", "--replace", f"k2={old}").results() == {"k2": "unresolved"}
        (made,) = set(tasks_of(new, "k2")) - {old}
        (task,) = new.run("apply").document["tasks"]
        assert f"taskctl state assign acme/k2 {made}" in commands_of(task)
        assert new.run_state("assign", "k2", made).code == 0
    assert_replaced_once(new, old)


@pytest.mark.parametrize("again", [WISH, ("--replace", "k2=OLD"), ()])
def test_running_an_unresolved_replacement_again_creates_no_second_task(
    here: InProcess, again: tuple[str, ...]
) -> None:
    old = record_of(here, "k2")["taskId"]
    unreadable = Rule("events", Fault("status", status=500))
    faults(here, Rule("create", Fault("reset", committed=True)), unreadable)
    assert here.run("apply", "--replace", f"k2={old}").results() == {"k2": "unresolved"}
    assert record_of(here, "k2")["taskId"] == old
    faults(here)
    ended = here.run("apply", *(word.replace("OLD", old) for word in again))
    assert ended.code == 0
    (task,) = ended.document["tasks"]
    assert (task["result"], task["replaced"]) == ("adopted", old)
    assert_replaced_once(here, old)
    # Again, as in a job that is retried after another of its tasks failed.
    more = here.run("apply", *(word.replace("OLD", old) for word in again))
    assert (more.code, more.document["tasks"]) == (0, [])
    assert_replaced_once(here, old)


def test_without_a_match_or_a_new_request_the_old_task_stays(here: InProcess) -> None:
    old = record_of(here, "k2")["taskId"]
    faults(here, Rule("create", Fault("reset")))
    ended = here.run("apply", *WISH)
    assert ended.results() == {"k2": "unresolved"}
    assert f"taskctl apply --replace acme/k2={old}" in commands_of(ended.document["tasks"][0])
    (said,) = ended.document["diagnostics"]
    assert said["code"] == "TC743"
    faults(here)
    assert here.run("apply").document["tasks"] == []
    assert record_of(here, "k2")["taskId"] == old
    tries = [h["what"] for h in record_of(here, "k2")["history"]]
    assert tries == ["created", "notCreated", "notCreated", "notCreated"]
    assert tasks_of(here, "k2") == [old]
    assert here.run("apply", *WISH).results() == {"k2": "replaced"}
    assert_replaced_once(here, old)


def test_a_replaced_task_does_not_affect_a_new_key_with_the_same_prompt(here: InProcess) -> None:
    """Another key neither adopts the replaced task nor is blocked by it."""
    assert here.run("apply", *WISH).code == 0
    old = tasks_of(here, "k2")[0]
    here.sandbox.write(as_tasks({**TEXTS, "twin": TEXTS["k2"]}, named=["k1", "twin"]))
    assert here.run("apply").results() == {"twin": "created"}
    assert old not in here.sandbox.recorded().values()
    assert len(set(here.sandbox.recorded().values())) == len(TEXTS) + 1


def _has_whole_line(journal: Path, text: bytes) -> bool:
    return any(text in line for line in journal.read_bytes().split(b"\n")[:-1])


def test_an_open_replacement_in_the_journal_of_a_lost_state_is_looked_up(here: InProcess) -> None:
    """The old task is recorded again, and no other is created without `--replace`."""
    old, all_before = record_of(here, "k2")["taskId"], here.sandbox.recorded()
    state = here.sandbox.folder / "taskctl.state.json"
    journal = state.with_name(state.name + ".journal")
    faults(here, Rule("create", Fault("reset")))
    killed = here.sandbox.start("apply", *WISH, "--settle-time", "60s")
    killed.until(lambda: journal.exists() and _has_whole_line(journal, b'"replaces"'))
    killed.kill()
    killed.communicate()
    faults(here)
    state.unlink()
    here.sandbox.write(
        as_tasks({**TEXTS, "k2": "edited", "twin": TEXTS["k2"]}, named=["k1", "twin"])
    )
    results = here.run("apply").results()
    # k2 was edited. Whether the run names it depends on how far the killed one had got.
    assert results.pop("k2", "adopted") == "adopted"
    found = dict.fromkeys(TEXTS.keys() - {"k2"}, "adopted")
    assert results == {**found, "twin": "created"}
    assert here.server.tasks_by_work().get("edited") is None
    assert here.run("apply").document["tasks"] == []
    assert record_of(here, "twin")["taskId"] != old
    assert here.sandbox.recorded() == {**all_before, "twin": record_of(here, "twin")["taskId"]}


# Changed in place


def changed(here: InProcess, **settings: Any) -> None:
    tasks = as_tasks(TEXTS, named=["k1"])
    tasks["k2"] |= settings
    here.sandbox.write(tasks)


def shown(server: FaultServer, here: InProcess) -> dict[str, Any]:
    (task,) = [t for t in server.world.tasks if t.id == record_of(here, "k2")["taskId"]]
    return task.shown


def update(here: InProcess) -> Ended:
    return here.run("apply", "--update")


@pytest.mark.parametrize(
    "fault", [Fault("reset", committed=True), Fault("status", status=503, committed=True)]
)
def test_a_patch_whose_response_is_lost_is_sent_again(here: InProcess, fault: Fault) -> None:
    changed(here, approvalMode="manual")
    faults(here, Rule("patch", fault, nth=(1,)))
    assert update(here).results() == {"k2": "updated"}
    assert shown(here.server, here)["approvalMode"] == "manual"
    assert record_of(here, "k2")["inputs"]["approvalMode"] == "manual"
    assert update(here).document["tasks"] == []


def test_a_change_whose_response_was_lost_is_recorded_by_the_next_apply(here: InProcess) -> None:
    changed(here, approvalMode="manual")
    faults(here, Rule("patch", Fault("reset", committed=True)))
    assert update(here).results() == {"k2": "failed"}
    assert "approvalMode" not in record_of(here, "k2")["inputs"]
    faults(here)
    patches = len(here.server.of("patch"))
    assert here.run("plan", "--update").actions()["k2"] == "update"
    assert update(here).results() == {"k2": "updated"}
    calls = here.server.of("patch")
    assert len(calls) == patches
    assert record_of(here, "k2")["inputs"]["approvalMode"] == "manual"
    assert update(here).document["tasks"] == []


def test_another_users_task_is_distinguished_from_a_gone_one(
    here: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(here.server, here)["status"] = "running"
    changed(here, isShared=True)
    assert update(here).results() == {"k2": "updated"}
    changed(here, isShared=True, approvalMode="manual")
    here.server.habits.tokens["other"] = "other"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "other")
    ended = update(here)
    assert ended.document["tasks"] == []
    about = [d for d in ended.document["diagnostics"] if d["key"] == "k2"]
    assert [d["code"] for d in about] == ["TC742", "TC746"]
    assert all("me-login" in d["detail"] for d in about)
    assert shown(here.server, here)["approvalMode"] == "balanced"
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
    faults(here, Rule("patch", Fault("status", status=404)))
    ended = update(here)
    assert ended.code == 1
    assert "no longer exists" in ended.document["tasks"][0]["error"]


def test_a_saved_plan_never_makes_an_unplanned_update(here: InProcess) -> None:
    """When the plan was made, the service had the desired value; then somebody changed it."""
    changed(here, approvalMode="manual")
    assert update(here).results() == {"k2": "updated"}
    assert here.run("plan", "--update", "--out", "saved").actions()["k2"] == "unchanged"
    shown(here.server, here)["approvalMode"] = "auto"
    ended = here.run("apply", "saved")
    assert ended.code == 1
    assert ended.document["diagnostics"][0]["code"] in ("TC653", "TC824")
    assert shown(here.server, here)["approvalMode"] == "auto"
    assert here.run("plan", "--update", "--out", "saved").actions()["k2"] == "update"
    assert here.run("apply", "saved").results() == {"k2": "updated"}
    assert here.run("apply", "saved").code == 1


def test_a_saved_replacement_is_applied_once(here: InProcess) -> None:
    old = record_of(here, "k2")["taskId"]
    assert here.run("plan", *WISH, "--out", "saved").code == 0
    assert here.run("plan", *WISH, "--out", "other").code == 0
    assert here.run("apply", "saved").results() == {"k2": "replaced"}
    for again in ("saved", "other"):
        ended = here.run("apply", again)
        assert ended.code == 1
        assert [d["code"] for d in ended.document["diagnostics"]] == ["TC653"]
    assert_replaced_once(here, old)
