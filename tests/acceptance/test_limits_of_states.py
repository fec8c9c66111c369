"""Shared states that are too large are rejected early, whoever wrote them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconciler.model import limits
from reconciler.model.codes import Code
from tests.support.called import call
from tests.support.git_server import git
from tests.support.hostile_git import hostile_host, large_object, write_ref
from tests.support.measured import Measure, measure, write_tasks

pytestmark = pytest.mark.tools

__all__ = ["measure"]

MIB = 1 << 20
PLACE = ("--backend", "local", "--state", "git:origin#x")


@pytest.fixture
def bare(tmp_path: Path, measure: Measure) -> Path:
    """A repository with a state in which a task is recorded."""
    bare = tmp_path / "team.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(tmp_path, "init", "-q")
    git(tmp_path, "remote", "add", "origin", str(bare))
    code, _, said = call(["state", "init", PLACE[-1], *PLACE[:2]], tmp_path, dict(os.environ))
    assert code == 0, said
    write_tasks(tmp_path, f"  a: {{message: {'x' * 4000}}}\n")
    assert measure("apply", "--yes", *PLACE).code == 0
    return bare


def _noise(bare: Path) -> str:
    (bare / "noise").write_bytes(os.urandom(200_000))
    return git(bare, "hash-object", "-w", "noise").strip()


def _many(bare: Path) -> dict[str, str]:
    blob = large_object(bare, 1)
    return {f"{number:06}": blob for number in range(10_000)}


LARGE: dict[str, tuple[Callable[[Path], Mapping[str, str]], int | None]] = {
    "STATE_HEAD_BYTES": (lambda bare: {"head": large_object(bare, 5)}, None),
    "STATE_PART_BYTES": (lambda bare: {"base": large_object(bare, 9)}, 8 * MIB),
    "STATE_BYTES": (lambda bare: {"base": large_object(bare, 9)}, 8 * MIB),
    "STATE_TREE_BYTES": (_many, MIB // 4),
    "STATE_FETCH_BYTES": (lambda bare: {"base": _noise(bare)}, 100_000),
}
"""What is written over the parts of the state or next to them, and the limit if it is lowered."""


@pytest.mark.parametrize("limit", [pytest.param(n, marks=pytest.mark.reaches(n)) for n in LARGE])
def test_the_size_of_a_state_in_git_is_limited(bare: Path, measure: Measure, limit: str) -> None:
    make, lowered = LARGE[limit]
    large = make(bare)
    listed = (line.split() for line in git(bare, "ls-tree", "refs/taskctl/state/x").splitlines())
    parts = {name: large.get(name.partition("-")[0], blob) for _, _, blob, name in listed}
    write_ref(bare, {**large, **parts})
    measured = measure("state", "list", *PLACE, **({limit: lowered} if lowered else {}))
    measured.assert_refused(Code.STATE_PART_DAMAGED)
    assert f"at most {lowered or getattr(limits, limit)}" in measured.printed


@pytest.mark.reaches("GIT_OBJECT_BYTES")
def test_an_object_that_no_state_has_is_not_unpacked(
    tmp_path: Path, bare: Path, measure: Measure
) -> None:
    with hostile_host(17 * MIB) as url:
        git(tmp_path, "remote", "set-url", "origin", url)
        measured = measure("state", "list", *PLACE, GIT_OBJECT_BYTES=16 * MIB)
    measured.assert_refused(Code.STATE_UNREACHABLE)
    assert "over limit" in measured.printed


@pytest.mark.reaches("GIT_HOST_BYTES")
@pytest.mark.parametrize("lowered", [{}, {"GIT_HOST_BYTES": 4_000}], ids=["small", "large"])
def test_a_state_that_a_host_of_git_may_refuse_is_a_warning(
    tmp_path: Path, bare: Path, measure: Measure, lowered: dict[str, int]
) -> None:
    write_tasks(tmp_path, "  b: {message: do it}\n", "b")
    measured = measure("apply", "--yes", *PLACE, **lowered)
    assert (measured.code, Code.STATE_LARGE in measured.printed) == (0, bool(lowered))
