"""`apply --expect-plan`: applies exactly the expected plan, or nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_server import FaultServer, Habits
from tests.support.sandbox import TOKEN, Ended, Sandbox, as_tasks, prompts


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with FaultServer(habits=Habits(tokens={TOKEN: "me", "pul-colleague": "colleague"})) as server:
        sandbox = Sandbox(tmp_path / "here", server)
        sandbox.folder.mkdir()
        sandbox.write(as_tasks(prompts(2)))
        yield sandbox


def digest(sandbox: Sandbox, *more: str) -> str:
    found: str = sandbox.run("plan", *more).document["digest"]
    return found


def refused(sandbox: Sandbox, *more: str) -> Ended:
    before = sandbox.server.tasks_by_work()
    ended = sandbox.run("apply", *more)
    assert ended.code == 1
    assert sandbox.server.tasks_by_work() == before
    (problem,) = ended.document["diagnostics"]
    assert "nothing was sent" in problem["summary"]
    return ended


def test_a_plan_made_elsewhere_is_applied_once(sandbox: Sandbox, tmp_path: Path) -> None:
    there = Sandbox(tmp_path / "elsewhere", sandbox.server)
    shutil.copytree(sandbox.folder, there.folder)
    (there.folder / "tasks" / "all.yaml").rename(there.folder / "tasks" / "renamed.yaml")
    planned = digest(there)
    assert planned == digest(sandbox) == digest(sandbox)
    assert sandbox.run("apply", "--expect-plan", planned).code == 0
    sandbox.assert_exactly_one_each(prompts(2))
    refused(sandbox, "--expect-plan", planned)
    assert sandbox.run("apply", "--expect-plan", digest(sandbox)).code == 0


def test_another_plan_is_refused(sandbox: Sandbox) -> None:
    planned = digest(sandbox)
    refused(sandbox, "--expect-plan", planned, "tasks")
    refused(sandbox, "--expect-plan", planned, "--max-creates", "5")
    sandbox.write(as_tasks({**prompts(2), "k1": "do 1, and more"}))
    refused(sandbox, "--expect-plan", planned)
    sandbox.write(as_tasks(prompts(3)))
    refused(sandbox, "--expect-plan", planned)
    sandbox.write(as_tasks(prompts(2)))
    assert sandbox.run("apply", "--expect-plan", planned).code == 0


def test_a_saved_plan_must_match_too(sandbox: Sandbox) -> None:
    """A file from the wrong job is not the plan that was reviewed."""
    planned = digest(sandbox)
    sandbox.write(as_tasks(prompts(1)))
    assert sandbox.run("plan", "--out", "kept").code == 0
    refused(sandbox, "kept", "--expect-plan", planned)
    assert sandbox.run("apply", "kept", "--expect-plan", digest(sandbox)).code == 0
    sandbox.assert_exactly_one_each(prompts(1))


def test_a_plan_of_another_user_is_refused(sandbox: Sandbox) -> None:
    """Nothing else differs, and the error names the user."""
    planned = digest(sandbox)
    sandbox.env["PULUMI_ACCESS_TOKEN"] = "pul-colleague"
    for expected in (planned, planned[:23]):
        ended = refused(sandbox, "--expect-plan", expected)
        (problem,) = ended.document["diagnostics"]
        assert "the expected plan was not made as colleague" in " ".join(problem["detail"].split())
    theirs = digest(sandbox)
    assert theirs != planned
    assert sandbox.run("apply", "--expect-plan", theirs).code == 0
    sandbox.assert_exactly_one_each(prompts(2))


@pytest.mark.parametrize("given", ["", "sha256:1", "latest"])
def test_an_invalid_digest_is_refused(sandbox: Sandbox, given: str) -> None:
    """An unset variable expands to an empty digest."""
    ended = sandbox.run("apply", "--expect-plan", given)
    assert ended.code == 1
    assert "is not the digest of a plan" in ended.document["diagnostics"][0]["summary"]
    assert sandbox.server.tasks_by_work() == {}


def test_text_output_suggests_the_command(sandbox: Sandbox) -> None:
    """On stderr, and only if there are changes."""

    def told() -> list[str]:
        process = sandbox.start("plan", "tasks", "--format", "text")
        _, said = process.communicate()
        return re.findall(r"taskctl apply tasks --expect-plan (sha256:\w{16}) ", said)

    (planned,) = told()
    assert digest(sandbox, "tasks").startswith(planned)
    ended = sandbox.run("apply", "tasks", "--expect-plan", planned)
    assert ended.code == 0
    assert told() == []
