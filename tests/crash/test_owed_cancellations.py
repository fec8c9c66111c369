"""A cancellation that was asked for is sent, however often an apply is killed or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.test_forget_killed import cancellations, declare, recorded, within
from tests.support.crash_points import Run, run
from tests.support.fault_server import Call, Fault
from tests.support.in_process import InProcess
from tests.support.live_tasks import LiveTasks, live_tasks
from tests.support.sandbox import as_tasks

UNAVAILABLE = Fault("status", status=503)
ACCEPTED = Fault("raw", status=202, text="{}", headers={"Content-Type": "application/json"})


def answer_cancellations(here: InProcess, fault: Fault) -> None:
    def choose(call: Call) -> Fault | None:
        return fault if "user_cancel" in call.body else None

    here.server.choose = choose


def cancelled(here: InProcess) -> list[str | None]:
    """The tasks for which the service was asked to cancel."""
    return [call.task_id for call in here.server.of("other") if "user_cancel" in call.body]


def test_the_next_apply_cancels_a_replaced_task(here: InProcess) -> None:
    """Whatever its options; and its plan says so."""
    here.run("apply")
    old = here.sandbox.recorded()["k2"]
    answer_cancellations(here, UNAVAILABLE)
    assert (
        here.run("apply", "--replace", f"k2={old}", "--cancel-replaced").results()["k2"]
        == "replaced"
    )
    answer_cancellations(here, ACCEPTED)
    before = len(cancelled(here))
    planned = here.run("plan")
    assert old in json.dumps(planned.document), planned.stdout
    assert here.run("plan", "--detailed-exitcode").code == 2
    assert len(cancelled(here)) == before
    assert here.run("apply").code == 0
    assert cancelled(here)[before:] == [old]
    assert here.run("apply").document["tasks"] == []
    assert cancelled(here)[before:] == [old]


def test_the_next_apply_cancels_and_forgets_a_removed_task(here: InProcess) -> None:
    here.run("apply")
    old = here.sandbox.recorded()["k2"]
    tasks = as_tasks({key: f"do {key[1]}" for key in ("k0", "k1", "k3")}, named=["k1"])
    manifest = {"version": 1, "orgName": "acme", "tasks": tasks, "removed": ["k2"]}
    (here.sandbox.folder / "tasks" / "all.yaml").write_text(json.dumps(manifest))
    answer_cancellations(here, UNAVAILABLE)
    assert here.run("apply", "--cancel-removed").code == 1
    answer_cancellations(here, ACCEPTED)
    before = len(cancelled(here))
    assert here.run("apply").code == 0
    assert cancelled(here)[before:] == [old]
    assert "k2" not in here.sandbox.recorded()
    assert here.run("apply").document["tasks"] == []


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    with live_tasks(tmp_path, monkeypatch, capsys, work_seconds=3600) as place:
        yield place


def replacing(here: LiveTasks, point: int | None) -> Run:
    old = recorded(here)["keep"]
    words = [
        "apply",
        "--yes",
        "--replace",
        f"keep={old}",
        "--cancel-replaced",
        "--parallelism",
        "1",
    ]
    return run([*words, "--backend", here.url], kill_at=point, cwd=here.folder)


def begun(place: LiveTasks, name: str) -> tuple[LiveTasks, str]:
    here = within(place, name)
    declare(here, "keep")
    assert here.run("apply", "--yes")[0] == 0
    return here, recorded(here)["keep"]


@pytest.mark.parametrize(
    "chunk", [0, *(pytest.param(chunk, marks=pytest.mark.soak) for chunk in range(1, 3))]
)
def test_killed_between_the_record_and_the_cancellation(place: LiveTasks, chunk: int) -> None:
    """At every third point from the create's response to the cancellation (at the others only by
    `make soak`); applied without options."""
    here, old = begun(place, "whole")
    points = replacing(here, None).points
    assert cancellations(here, old) == 1
    sends = [p.number for p in points if p.operation == "send" and p.phase == "after"]
    posts = [p.number for p in points if p.number in sends and "POST" in p.what]
    assert len(posts) == 2
    for point in range(posts[0] + chunk, posts[1], 3):
        here, old = begun(place, f"p{point}")
        assert replacing(here, point).killed
        assert here.run("apply", "--yes")[0] == 0
        assert cancellations(here, old) == 1, points[point]
        assert recorded(here)["keep"] != old
        assert here.document("apply", "--yes")["tasks"] == []
        assert cancellations(here, old) == 1
