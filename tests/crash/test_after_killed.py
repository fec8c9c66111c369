"""`apply --wait` of tasks in order (`after`) is killed (SIGKILL) at points of the whole run, then
run again: one task per key, and none before the tasks that it waits for are done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.crash.test_waves_killed import rollout
from tests.support.crash_points import Point

ROWS = ("a", "b")
KEYS = {
    "first": "first",
    "pair@a": "a",
    "pair@b": "b",
    "check@a": "check-a",
    "check@b": "check-b",
    "last": "last",
}
"""The keys, and what their prompts name."""
BEFORE = {
    "a": ("first",),
    "b": ("first", "a"),
    "check-a": ("a",),
    "check-b": ("b",),
    "last": ("first", "a", "b"),
}
BLOCK = "```json {} ```"


def in_order(first: str = f"answering the work of first {BLOCK}") -> dict[str, Any]:
    """A plain task with an expectation, then a rollout, then a check of each row and a report."""
    rows = {"forEach": {"row": list(ROWS)}}
    work, check = "finishing the work of {{ row }}", "finishing the work of check-{{ row }}"
    return {
        "check": {**rows, "after": ["pair@{{ row }}"], "message": check},
        "first": {"message": first, "expect": {"data": {"type": "object"}}},
        "last": {"after": ["pair"], "message": "finishing the work of last"},
        "pair": {**rows, "after": ["first"], "rollout": {"pilot": 1}, "message": work},
    }


UNMET = in_order("answering the work of first without any JSON")


def points(folder: Path, tasks: dict[str, Any], code: int) -> tuple[Point, ...]:
    with rollout(folder / "whole", tasks) as whole:
        counted = whole.apply()
        assert counted.returncode == code, counted.stdout + counted.stderr
    return counted.points


def killed_and_run_again(folder: Path, point: int) -> None:
    with rollout(folder / f"p{point}", in_order()) as here:
        here.apply(point)
        here.assert_order(BEFORE)
        again = here.apply()
        assert again.returncode == 0, f"{point}: {again.stdout}{again.stderr}"
        assert here.assert_order(BEFORE).keys() == set(KEYS.values()), point
        state = json.loads((here.folder / "taskctl.state.json").read_text())
        assert sorted(state["tasks"]) == sorted(f"acme/{key}" for key in KEYS)
        assert not state["attempts"]


def killed_while_the_first_is_unmet(folder: Path, point: int) -> None:
    """Nothing follows until a message corrects its result."""
    with rollout(folder / f"u{point}", UNMET) as here:
        here.apply(point)
        again = here.apply()
        assert again.returncode == 1, f"{point}: {again.stdout}{again.stderr}"
        assert here.made().keys() == {"first"}, point
        said = here.api.respond(
            here.made()["first"]["id"], type="user_message", content=f"answering {BLOCK}"
        )
        assert said.status < 300, said.body
        last = here.apply()
        assert last.returncode == 0, f"{point}: {last.stdout}{last.stderr}"
        assert here.assert_order(BEFORE).keys() == set(KEYS.values()), point


def test_killed_at_some_points(tmp_path: Path) -> None:
    """After requests that create a task, and at points spread over the whole apply."""
    found = points(tmp_path, in_order(), 0)
    sends = [p.number for p in found if p.operation == "send" and "POST" in p.what]
    assert len(found) > 100
    for point in sorted({*sends[1::4], *range(5, len(found), len(found) // 5)}):
        killed_and_run_again(tmp_path, point)


def test_killed_while_the_first_is_unmet(tmp_path: Path) -> None:
    found = points(tmp_path, UNMET, 1)
    for point in range(7, len(found), len(found) // 4):
        killed_while_the_first_is_unmet(tmp_path, point)


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(8))
def test_killed_at_every_point(tmp_path: Path, chunk: int) -> None:
    for point in points(tmp_path, in_order(), 0)[chunk::8]:
        killed_and_run_again(tmp_path, point.number)


@pytest.mark.soak
@pytest.mark.parametrize("chunk", range(4))
def test_killed_at_every_point_while_the_first_is_unmet(tmp_path: Path, chunk: int) -> None:
    for point in points(tmp_path, UNMET, 1)[chunk::4]:
        killed_while_the_first_is_unmet(tmp_path, point.number)
