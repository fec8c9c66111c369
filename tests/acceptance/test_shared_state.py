"""A shared state, through the command line, on each kind of engine: what a local file guarantees
holds for several machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.model.codes import Code
from tests.support.shared_places import Runner, SharedPlace


@pytest.fixture
def backend(tmp_path: Path) -> str:
    return f"local:{tmp_path}/service.db"


def codes(document: str) -> list[str]:
    return [found["code"] for found in json.loads(document)["diagnostics"]]


def keys_of(runner: Runner) -> list[str]:
    """The keys of the tasks at the service."""
    found = json.loads(runner.must("state", "list", "--format", "json"))
    return sorted(task["key"] for task in found["tasks"])


def test_init_plan_apply_and_a_second_machine(
    shared_place: SharedPlace, state: str, backend: str
) -> None:
    one = shared_place.runner(f"{state}-one", state, backend)
    refused = one.run("plan", "--format", "json")
    assert refused.returncode == 1
    assert codes(refused.stdout) == [Code.STATE_NOT_INITIALIZED]
    assert "Created the state" in one.must("state", "init", "--new")
    assert "already exists" in one.must("state", "init", shared_place.address(state))
    assert "2 to create" in one.must("plan")
    assert "2 created" in one.must("apply", "-y")
    two = shared_place.runner(f"{state}-two", state, backend)
    assert "0 to create" in two.must("plan")
    assert "0 created" in two.must("apply", "-y")
    assert keys_of(two) == ["one", "two"]
    assert shared_place.kind == "git" or not list(two.folder.glob("taskctl.state*"))
