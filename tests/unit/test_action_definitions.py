"""The action runs without the package, so it defines globs and ended statuses itself: as taskctl
does."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.model import glob
from reconciler.model.task_state import TaskState

ACTION = Path(__file__).parents[2] / "action"


@pytest.fixture(scope="module", autouse=True)
def modules() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ACTION), *sys.path])
        importlib.import_module("about")


@given(
    st.text("ab*./-", min_size=1, max_size=12),
    st.text("ab./-", min_size=1, max_size=12).map("acme/{}".format),
)
@example("*", "acme/a/b")
@example("acme/*a", "acme/ba")
@example("a*a", "acme/a")
def test_a_glob_selects_the_same_tasks(name: str, ref: str) -> None:
    texts = (ref, ref.partition("/")[2])
    expected = any(glob.matches(name, text) for text in texts)
    requested = sys.modules["requested"]
    try:
        found = requested.Requested("say", (name,)).select([ref])
    except requested.InputError:
        found = []
    assert found == [ref] * expected


def test_the_same_tasks_have_ended() -> None:
    ended = {state.value for state in TaskState if state.has_ended}
    assert set(sys.modules["about"].ENDED) == ended
