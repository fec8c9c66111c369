"""`apply --wait` creates nothing more once others have applied other manifests, or edited the
state."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.forked import Forked
from tests.support.live_tasks import LiveTasks, live_tasks
from tests.support.references import without_reference
from tests.support.shared_places import SharedPlace

QUICK = ("--yes", "--wait", "--interval", "100ms", "--format", "json")


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    with live_tasks(tmp_path, monkeypatch, capsys, work_seconds=0.1) as place:
        yield place


@pytest.fixture
def shared(
    shared_place: SharedPlace,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[LiveTasks]:
    """The same with a shared state."""
    runner = shared_place.runner(f"{state}-waves", state, "local")
    with live_tasks(runner.folder, monkeypatch, capsys, work_seconds=0.1) as place:
        for name, value in {
            **shared_place.env,
            "TASKCTL_STATE": shared_place.address(state),
        }.items():
            monkeypatch.setenv(name, value)
        code, _, err = place.run("state", "init", "--new")
        assert code == 0, err
        yield place


def write(place: LiveTasks, rows: str, prompt: str = "the work of", more: str = "") -> None:
    """An entry `t` with these rows; its pilot `a` waits for a person."""
    does = "{{ row.does }}"
    listed = ", ".join(
        f"{{name: {name}, does: {'approving' if name == 'a' else 'finishing'}}}" for name in rows
    )
    (place.folder / "tasks").mkdir(exist_ok=True)
    (place.folder / "tasks" / "all.yaml").write_text(f"""
version: 1
orgName: acme
tasks:
  t:
    forEach: {{row: [{listed}]}}
    rollout: {{pilot: 1}}
    message: "{does} {prompt} {{{{ row.name }}}}"
{more}""")


def prompts(place: LiveTasks) -> list[str]:
    """The prompts of all tasks of the service."""
    tasks = [task for page in place.api.pages() for task in page]
    shown = (place.api.events(task["id"])[0]["eventBody"]["content"] for task in tasks)
    return sorted(map(without_reference, shown))


@contextmanager
def waiting(place: LiveTasks) -> Iterator[Forked]:
    """An `apply --wait` that waits for its pilot."""
    process = place.start("apply", *QUICK)
    with process:
        process.until_said("t@a: waiting")
        yield process


def end_of(process: Forked) -> dict[str, Any]:
    """The document of the apply, with its exit code."""
    out, err = process.communicate()
    assert "Traceback" not in err
    return {**json.loads(out), "exit": process.returncode}


def codes(document: dict[str, Any]) -> list[str]:
    return [problem["code"] for problem in document["diagnostics"]]


def assert_newer_manifests_win(place: LiveTasks) -> None:
    write(place, "abcd")
    with waiting(place) as process:
        write(place, "abc", "the corrected work of")
        assert place.run("apply", "--yes")[0] == 0
        assert place.answer("approve", "t@a")[0] == 0
        document = end_of(process)
    assert (document["exit"], codes(document)) == (1, ["TC636"])
    assert [task["key"] for task in document["wait"]["held"]] == ["t@b", "t@c", "t@d"]
    assert prompts(place) == ["approving the work of a"]
    assert place.run("apply", *QUICK)[0] == 0
    assert prompts(place) == [
        "approving the work of a",
        "finishing the corrected work of b",
        "finishing the corrected work of c",
    ]


def assert_the_same_commit_changes_nothing(place: LiveTasks) -> None:
    write(place, "abc")
    with waiting(place) as process, waiting(place) as second:
        for _ in range(2):
            assert place.run("apply", "--yes")[0] == 0
        assert place.answer("approve", "t@a")[0] == 0
        assert [end_of(each)["exit"] for each in (process, second)] == [0, 0]
    assert len(prompts(place)) == 3


def assert_an_edit_stops_the_waves(place: LiveTasks) -> None:
    write(place, "abc")
    with waiting(place) as process:
        assert place.run("state", "rm", "t@nothing")[0] == 1  # edits nothing
        write(place, "abc", "the other work of")
        assert place.run("state", "accept", "t@a")[0] == 0
        assert place.answer("approve", "t@a")[0] == 0
        document = end_of(process)
    assert (document["exit"], codes(document)) == (1, ["TC636"])
    assert "state accept" in document["diagnostics"][0]["summary"]
    assert len(prompts(place)) == 1


def test_newer_manifests_win(place: LiveTasks) -> None:
    assert_newer_manifests_win(place)


def test_the_same_commit_changes_nothing(place: LiveTasks) -> None:
    assert_the_same_commit_changes_nothing(place)


def test_an_edit_of_the_state_stops_the_waves(place: LiveTasks) -> None:
    assert_an_edit_stops_the_waves(place)


def test_newer_manifests_win_in_a_shared_state(shared: LiveTasks) -> None:
    assert_newer_manifests_win(shared)


def test_the_same_commit_changes_nothing_in_a_shared_state(shared: LiveTasks) -> None:
    assert_the_same_commit_changes_nothing(shared)


def test_an_edit_of_a_shared_state_stops_the_waves(shared: LiveTasks) -> None:
    assert_an_edit_stops_the_waves(shared)


def test_a_run_that_is_refused_does_not_stop_those_of_the_newer_manifests(
    place: LiveTasks,
) -> None:
    write(place, "abcd")
    with waiting(place) as older:
        write(place, "abc")
        with waiting(place) as newer:
            assert place.answer("approve", "t@a")[0] == 0
            assert [end_of(each)["exit"] for each in (older, newer)] == [1, 0]
    assert len(prompts(place)) == 3


def test_newer_manifests_count_even_if_their_apply_is_killed(place: LiveTasks) -> None:
    write(place, "abcd")
    with waiting(place) as older:
        write(place, "abc")
        with waiting(place) as newer:
            newer.send_signal(signal.SIGKILL)
            newer.wait()
            assert place.answer("approve", "t@a")[0] == 0
            assert end_of(older)["exit"] == 1
    assert len(prompts(place)) == 1
    assert place.run("apply", *QUICK)[0] == 0
    assert len(prompts(place)) == 3


def test_a_run_limited_by_path_counts_as_other_manifests(place: LiveTasks) -> None:
    write(place, "abc")
    with waiting(place) as process:
        assert place.run("apply", "--yes", "tasks/all.yaml")[0] == 0
        assert place.answer("approve", "t@a")[0] == 0
        document = end_of(process)
    assert (document["exit"], codes(document)) == (1, ["TC636"])
    assert "apply tasks/all.yaml" in document["diagnostics"][0]["summary"]


def test_a_run_without_held_tasks_only_waits(place: LiveTasks) -> None:
    """Nothing more is to be created, so it does not matter what others apply."""
    write(place, "a")
    with waiting(place) as process:
        write(place, "ab", "the other work of")
        assert place.run("apply", "--yes")[0] == 0
        assert place.answer("approve", "t@a")[0] == 0
        assert end_of(process)["exit"] == 0
