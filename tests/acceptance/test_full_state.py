"""A state that is full, through the command line: creates stop while everything that exists can
still be recorded, read, removed and moved. The limits are lowered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model import limits
from reconciler.model.codes import Code
from tests.support.fault_server import Fault, FaultServer, Rule
from tests.support.sandbox import Ended, Sandbox, as_tasks
from tests.support.shared_places import PLACES, SharedPlace
from tests.support.state_engines import marked

PROMPT = "x" * 4000
TASKS = as_tasks({f"k{number:02}": f"{PROMPT} {number}" for number in range(40)})
FILL = 0.9


GIT = pytest.param("git", marks=pytest.mark.tools)  # it takes ten times as long
KINDS = ["file", *(GIT if name == "git" else name for name in marked(PLACES))]


@pytest.fixture(scope="module", params=KINDS)
def kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedPlace | None]:
    if request.param == "file":
        yield None
        return
    with PLACES[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made


@pytest.fixture
def sandbox(kind: SharedPlace | None, state: str, tmp_path: Path, server: FaultServer) -> Sandbox:
    env = {"TASKCTL_BACKEND": server.url}
    if kind is None:
        return Sandbox(tmp_path, server, env=env)
    made = Sandbox(kind.fresh(state), server, env={**env, **kind.env})
    made.env["TASKCTL_STATE"] = kind.address(state)
    made.on_state("init", "--new")
    return made


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STATE_FILE_BYTES", 200_000)
    monkeypatch.setattr(limits, "STATE_PART_BYTES", 100_000)
    monkeypatch.setattr(limits, "STATE_BYTES", 200_000)


def codes(ended: Ended) -> list[str]:
    return [found["code"] for found in ended.document["diagnostics"]]


def size_of(sandbox: Sandbox) -> int:
    return len(sandbox.on_state("pull"))


def tasks(start: int, count: int) -> dict[str, dict[str, object]]:
    return {key: TASKS[key] for key in list(TASKS)[start : start + count]}


def fill(sandbox: Sandbox, at_once: int = 2) -> int:
    """Applies some more tasks at once until they are not created; how many there are then."""
    for count in range(at_once, len(TASKS) + 1, at_once):
        sandbox.write(tasks(0, count))
        ended = sandbox.run("apply")
        if ended.code:
            assert codes(ended) == [Code.STATE_FULL], ended.stdout
            return count - at_once
    raise AssertionError


def room(sandbox: Sandbox, start: int = 0) -> int:
    """How many tasks, from this one on, could be created at once."""
    for count in range(1, len(TASKS) - start):
        sandbox.write(tasks(0, start + count))
        if sandbox.run("plan").document["summary"]["held"]:
            return count - 1
    raise AssertionError


def test_creates_stop_before_the_state_is_full(sandbox: Sandbox, server: FaultServer) -> None:
    count = fill(sandbox)
    most = limits.STATE_FILE_BYTES if "TASKCTL_STATE" not in sandbox.env else 100_000
    assert 0.3 * most < size_of(sandbox) < FILL * most
    plan = sandbox.run("plan")
    assert plan.code == 1
    assert set(plan.actions().values()) == {"unchanged", "held"}
    (reason,) = plan.document["failReasons"]
    assert reason == {"code": Code.STATE_FULL, "key": None, "blocking": False}
    assert len(server.posts) == count == len(sandbox.recorded())


def test_what_exists_is_recorded_in_a_full_state(
    sandbox: Sandbox, server: FaultServer, tmp_path: Path
) -> None:
    elsewhere = Sandbox(
        sandbox.folder, server, env={**sandbox.env, "TASKCTL_STATE": f"{tmp_path}/other.json"}
    )
    elsewhere.write({"k39": TASKS["k39"]})
    assert elsewhere.run("apply").results() == {"k39": "created"}
    sandbox.on_state("init", "--new", "--backend", server.url)
    declared = tasks(0, fill(sandbox) + 2)
    count, known = len(server.posts), {**TASKS["k39"], "taskID": elsewhere.recorded()["k39"]}
    sandbox.write({**declared, "k39": known})
    ended = sandbox.run("apply")
    assert ended.results() == {"k39": "adopted"}
    assert codes(ended) == [Code.STATE_FULL]
    assert "k39" in sandbox.recorded()
    assert len(server.posts) == count


def test_a_full_state_can_be_emptied_copied_and_moved(
    sandbox: Sandbox, server: FaultServer, tmp_path: Path
) -> None:
    count = fill(sandbox)
    sandbox.on_state("pull")
    sandbox.on_state("rm", "k00")
    old = [f"k{number:02}" for number in range(1, 6)]
    sandbox.write(tasks(6, 34), removed=old)
    assert list(sandbox.run("apply").results().values()) == ["forgotten"] * 5
    assert len(server.posts) == count
    recorded, to = sandbox.recorded(), f"{tmp_path}/moved.json"
    sandbox.on_state("migrate", "--to", to)
    moved = Sandbox(sandbox.folder, server, env={**sandbox.env, "TASKCTL_STATE": to})
    assert moved.recorded() == recorded
    moved.write(tasks(6, count - 6 + 2), removed=old)
    assert list(moved.run("apply").results().values()) == ["created"] * 2


def test_a_state_is_never_made_too_large_to_be_read(
    sandbox: Sandbox, server: FaultServer, tmp_path: Path
) -> None:
    """Records of existing tasks may fill it completely."""
    elsewhere = Sandbox(
        tmp_path, server, env={**sandbox.env, "TASKCTL_STATE": f"{tmp_path}/other.json"}
    )
    for count in (5, 10, 15):
        elsewhere.write(tasks(0, count))
        elsewhere.run("apply")
    existing = {key: {**TASKS[key], "taskID": id_} for key, id_ in elsewhere.recorded().items()}
    assert len(existing) == 15
    sandbox.on_state("init", "--new", "--backend", server.url)
    sandbox.write({})
    fresh: dict[str, dict[str, object]] = {}
    while not sandbox.run("apply").code:
        fresh = {
            f"n{number:02}": {"message": f"{PROMPT} new {number}"}
            for number in range(len(fresh) + 2)
        }
        sandbox.write(fresh)
    count = len(sandbox.recorded())
    sandbox.write({**fresh, **existing})
    for _ in range(2):
        ended = sandbox.run("apply")
        assert ended.code == 1
        assert set(codes(ended)) == {Code.STATE_FULL}
        assert len(sandbox.recorded()) >= count
    sandbox.write({}, removed=list(fresh))
    sandbox.run("apply")
    sandbox.write(existing)
    assert sandbox.run("apply").code == 0


def test_open_attempts_and_the_journal_count(sandbox: Sandbox, server: FaultServer) -> None:
    before = room(sandbox)
    sandbox.write(tasks(0, before))
    server.set_rules(Rule("create", Fault(before=600)))
    process = sandbox.start("apply", "--parallelism", str(before))
    process.until(lambda: len(server.posts) == before)
    process.kill()
    after = list(sandbox.run("plan").actions().values())
    assert after == ["unresolved"] * before
    assert 0 < room(sandbox, before) < before


def test_a_large_state_in_git_is_a_warning(
    sandbox: Sandbox, kind: SharedPlace | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.write({"one": {"message": PROMPT}})
    assert Code.STATE_LARGE not in sandbox.run("apply").stderr
    monkeypatch.setattr(limits, "GIT_HOST_BYTES", 4000)
    is_git = kind is not None and kind.kind == "git"
    assert (Code.STATE_LARGE in sandbox.run("apply").stderr) is is_git


def test_outputs_of_any_size_take_limited_room(sandbox: Sandbox, server: FaultServer) -> None:
    sandbox.write({"one": {"message": "Do it"}})
    sandbox.run("apply")
    size = size_of(sandbox)
    server.world.tasks[0].shown["name"] = "x" * 50_000
    sandbox.write({"one": {"message": "Do it"}, "two": {"message": "Do more"}})
    assert sandbox.run("apply").code == 0
    assert size_of(sandbox) < 3 * size


def test_a_plan_that_waits_predicts_that_later_waves_do_not_fit(
    sandbox: Sandbox, server: FaultServer
) -> None:
    rows = {"row": [f"r{number:02}" for number in range(40)]}
    entry = {"forEach": rows, "message": PROMPT + " {{ row }}", "rollout": {"pilot": 1}}
    sandbox.write({"up": entry})
    assert sandbox.run("plan").code == 0
    plan = sandbox.run("plan", "--wait")
    assert (plan.code, plan.document["summary"]["create"]) == (1, 1)
    assert [reason["code"] for reason in plan.document["failReasons"]] == [Code.STATE_FULL]
    reasons = [task["reason"] for task in plan.document["tasks"]]
    assert (reasons.count("new"), reasons.count("full")) == (1, 39)


def test_creates_leave_room_for_the_tasks_that_the_same_apply_adopts(
    sandbox: Sandbox, server: FaultServer, tmp_path: Path
) -> None:
    elsewhere = Sandbox(
        sandbox.folder, server, env={**sandbox.env, "TASKCTL_STATE": f"{tmp_path}/other.json"}
    )
    sandbox.on_state("init", "--new", "--backend", server.url)
    fresh = tasks(10, room(sandbox))
    elsewhere.write(tasks(0, 4))
    elsewhere.run("apply")
    existing = {key: {**TASKS[key], "taskID": id_} for key, id_ in elsewhere.recorded().items()}
    sandbox.write({**fresh, **existing})
    alone = sandbox.run("plan", "--target", "k1*").document["summary"]
    assert (alone["create"], alone["adopt"]) == (len(fresh), 0)
    plan = sandbox.run("plan").document
    together = plan["summary"]
    assert (together["create"], together["adopt"]) == (0, len(existing))
    assert {t["reason"] for t in plan["tasks"] if t["key"] in fresh} == {"full"}
