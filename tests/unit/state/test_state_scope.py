"""A state is new until an apply of all manifests has compared every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.value import replace
from reconciler.state.attempt import Baseline
from reconciler.state.edit import push
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.model import Attempted, BaselineRead, Recorded, State
from reconciler.state.session import Outcome, Session, read_state
from tests.support.plan_values import ME, NOW, attempt, record

BACKEND = "https://api.example.com"
FIRST, SECOND = Baseline("acme", ("t1", "t0"), ME), Baseline("acme", ("t2", "t1"), ME)


def ended(path: Path, *compared: Baseline, key: str = "a") -> State:
    """The state after an apply that has compared every key."""
    with Session.open(LocalState(path), Claim(BACKEND, "apply")) as session:
        session.append(Recorded(record(key, f"id-{key}")))
        session.close(Outcome(compared={baseline.org_name: baseline for baseline in compared}))
    return read_state(LocalState(path), backend=BACKEND)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_what_was_compared_is_no_look_alike_any_more(path: Path) -> None:
    state = ended(path, FIRST)
    assert state.compared("acme") == FIRST
    assert state.compared("other") is None
    later = ended(path, SECOND, Baseline("other", (), ME), key="b")
    assert later.compared("acme") == SECOND
    assert FIRST.name not in later.baselines
    assert ended(path, key="c").compared("acme") == SECOND


def test_a_new_state_has_compared_nothing() -> None:
    known = State("x", 0, BACKEND, baselines={FIRST.name: FIRST})
    assert known.compared("acme") is None


def test_an_unchanged_state_is_not_saved_for_a_baseline(path: Path) -> None:
    ended(path, FIRST)
    before = path.read_bytes()
    ended(path, SECOND)
    assert path.read_bytes() == before


def test_the_first_baseline_of_an_organization_is_worth_saving(path: Path) -> None:
    """Otherwise, all existing tasks would be compared again and again."""
    ended(path)
    assert ended(path, FIRST).compared("acme") == FIRST


def test_a_pushed_state_forgets_what_was_compared(path: Path) -> None:
    """It may be an old version. Only the baselines of open attempts stay."""
    with Session.open(LocalState(path), Claim(BACKEND, "apply")) as session:
        tried = attempt("b", NOW, baseline=FIRST.name, waited=7.0)
        session.append(BaselineRead(FIRST), Attempted(tried), Recorded(record("a", "t")))
        session.close(Outcome(compared={"acme": SECOND}))
    state = read_state(LocalState(path), backend=BACKEND)
    assert state.compared("acme") == SECOND
    given = replace(state, serial=state.serial + 1)
    pushed = push(state, given)
    assert pushed.compared("acme") is None
    assert set(pushed.baselines) == {FIRST.name}


def test_a_pushed_state_cannot_age_attempts(path: Path) -> None:
    state = State("x", 1, BACKEND, attempts={"m": attempt("b", NOW, waited=7.0)})
    older = attempt("b", NOW, waited=900.0)
    given = State("x", 2, BACKEND, attempts={"m": older, "n": older})
    assert [a.waited for a in push(state, given).attempts.values()] == [7.0, 0.0]
