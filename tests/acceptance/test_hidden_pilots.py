"""A pilot that another user created, and that this user cannot see."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.test_moves import as_other
from tests.support.in_process import InProcess
from tests.support.sandbox import STATE

ENTRY = {
    "forEach": {"row": ["a", "b", "c"]},
    "rollout": {"pilot": 1},
    "message": "upgrade {{ row }}",
}


@pytest.fixture
def hidden(here: InProcess, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    here.sandbox.write({"up": ENTRY})
    assert here.run("apply").results() == {"up@a": "created"}
    as_other(here, monkeypatch)
    return here


def held(here: InProcess, *more: str) -> set[str]:
    tasks = here.run("plan", *more).document["tasks"]
    return {task["reason"] for task in tasks if task["action"] == "held"}


def test_it_stops_the_rollout_of_whoever_may_apply(hidden: InProcess) -> None:
    planned = hidden.run("plan")
    assert held(hidden) == {"stopped"}
    assert (planned.code, planned.document["applyWillFail"]) == (0, False)
    assert [d["code"] for d in planned.document["diagnostics"]] == ["TC318"]
    assert hidden.run("apply").code == 0
    assert len(hidden.server.world.tasks) == 1


def test_it_holds_the_rollout_of_everybody_else(hidden: InProcess) -> None:
    (hidden.sandbox.folder / "taskctl.toml").write_text('apply-as = "login:me-login"\n')
    assert held(hidden) == {"pilot"}
    assert hidden.run("plan").code == 0


def test_a_replacement_of_it_is_the_pilot(hidden: InProcess) -> None:
    pilot = hidden.sandbox.recorded()["up@a"]
    assert held(hidden, "--replace", f"up@a={pilot}") == {"pilot"}
    assert hidden.run("apply", "--replace", f"up@a={pilot}").results()["up@a"] == "replaced"


def test_it_counts_once_its_success_is_recorded(hidden: InProcess) -> None:
    path = hidden.sandbox.folder / STATE
    state = json.loads(path.read_text())
    state["tasks"]["acme/up@a"]["done"] = True
    del state["checksum"]
    path.write_text(json.dumps(state))
    assert held(hidden) == set()
