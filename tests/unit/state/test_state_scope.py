"""A state is new only for manifests that were never applied completely."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.task import TaskRef
from reconciler.state.local import LocalState
from reconciler.state.model import Recorded, State
from reconciler.state.session import Claim, Session, read_state
from tests.support.plan_values import record

BACKEND = "https://api.example.com"


def ended(path: Path, *scope: str) -> State:
    """The state after a complete apply of these PATHs."""
    with Session.open(LocalState(path), Claim(BACKEND, "apply")) as session:
        session.append(Recorded(record("a", "t")))
        session.mark_complete(scope)
    return read_state(LocalState(path), backend=BACKEND)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_an_apply_of_some_paths_leaves_the_state_new_for_others(path: Path) -> None:
    state = ended(path, "tasks/a.yaml", "infra")
    assert (state.is_new, state.searched) == (True, ("infra", "tasks/a.yaml"))
    assert not state.is_new_for("tasks/a.yaml")
    assert not state.is_new_for("infra/deep/x.yaml")
    assert state.is_new_for("tasks/b.yaml")
    assert state.is_new_for("infra.yaml")
    assert TaskRef("acme", "a") in state.records


def test_applied_paths_accumulate(path: Path) -> None:
    ended(path, "tasks/a.yaml")
    assert ended(path, "tasks/b.yaml").searched == ("tasks/a.yaml", "tasks/b.yaml")


@pytest.mark.parametrize("scope", [(), (".",), (".", "tasks")])
def test_after_a_complete_apply_the_state_is_no_longer_new(
    path: Path, scope: tuple[str, ...]
) -> None:
    ended(path, "tasks/a.yaml")
    state = ended(path, *scope)
    assert (state.is_new, state.searched) == (False, ())
    assert not state.is_new_for("tasks/b.yaml")
    assert "searched" not in path.read_text()


def test_a_used_state_does_not_become_new_again(path: Path) -> None:
    ended(path)
    before = path.read_bytes()
    assert not ended(path, "tasks/a.yaml").is_new
    assert path.read_bytes() == before
