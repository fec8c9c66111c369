"""`apply --expect-plan`: just what was planned elsewhere, or nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import FaultServerProcess
from tests.support.ground import TOKEN, Ended, Ground, as_tasks, prompts


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with FaultServerProcess(habits={"tokens": {TOKEN: "me"}}) as server:
        ground = Ground(tmp_path / "here", server)
        ground.folder.mkdir()
        ground.write(as_tasks(prompts(2)))
        yield ground


def digest(ground: Ground, *more: str) -> str:
    found: str = ground.run("plan", *more).document["digest"]
    return found


def refused(ground: Ground, *more: str) -> Ended:
    before = ground.server.tasks_by_work()
    ended = ground.run("apply", *more)
    assert ended.code == 1
    assert ground.server.tasks_by_work() == before
    (problem,) = ended.document["diagnostics"]
    assert "nothing was sent" in problem["summary"]
    return ended


def test_what_was_planned_elsewhere_is_done_here_once(ground: Ground, tmp_path: Path) -> None:
    there = Ground(tmp_path / "elsewhere", ground.server)
    shutil.copytree(ground.folder, there.folder)
    (there.folder / "tasks" / "all.yaml").rename(there.folder / "tasks" / "renamed.yaml")
    planned = digest(there)
    assert planned == digest(ground) == digest(ground)
    assert ground.run("apply", "--expect-plan", planned).code == 0
    ground.assert_exactly_one_each(prompts(2))
    refused(ground, "--expect-plan", planned)
    assert ground.run("apply", "--expect-plan", digest(ground)).code == 0


def test_other_deeds_are_refused(ground: Ground) -> None:
    planned = digest(ground)
    refused(ground, "--expect-plan", planned, "tasks")
    refused(ground, "--expect-plan", planned, "--max-creates", "5")
    ground.write(as_tasks({**prompts(2), "k1": "do 1, and more"}))
    refused(ground, "--expect-plan", planned)
    ground.write(as_tasks(prompts(3)))
    refused(ground, "--expect-plan", planned)
    ground.write(as_tasks(prompts(2)))
    assert ground.run("apply", "--expect-plan", planned).code == 0


def test_a_saved_plan_is_held_to_it_as_well(ground: Ground) -> None:
    """Unconditionally: a file from the wrong job is not what was looked at."""
    planned = digest(ground)
    ground.write(as_tasks(prompts(1)))
    assert ground.run("plan", "--out", "kept").code == 0
    refused(ground, "kept", "--expect-plan", planned)
    assert ground.run("apply", "kept", "--expect-plan", digest(ground)).code == 0
    ground.assert_exactly_one_each(prompts(1))


@pytest.mark.parametrize("given", ["", "sha256:1", "latest"])
def test_what_is_no_digest_is_refused(ground: Ground, given: str) -> None:
    """Empty is what a variable is that nobody set."""
    ended = ground.run("apply", "--expect-plan", given)
    assert ended.code == 1
    assert "is not the digest of a plan" in ended.document["diagnostics"][0]["summary"]
    assert ground.server.tasks_by_work() == {}


def test_a_person_is_told_the_command(ground: Ground) -> None:
    """On stderr, and only where there is something to do."""

    def told() -> list[str]:
        process = ground.start("plan", "tasks", "--format", "text")
        _, said = process.communicate(timeout=60)
        return re.findall(r"taskctl apply tasks --expect-plan (sha256:\w{64})\n", said)

    (planned,) = told()
    assert planned == digest(ground, "tasks")
    ended = ground.run("apply", "tasks", "--expect-plan", planned)
    assert ended.code == 0
    assert told() == []
