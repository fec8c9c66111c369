"""While an apply replaces tasks, nothing keeps their records, which may need as much memory as the
new ones."""

from __future__ import annotations

import sys

import pytest

from reconciler.apply.loop import Loop
from reconciler.apply.report import ApplyReport
from reconciler.model.value import replace
from reconciler.plan.plan import Plan
from reconciler.state.location import Claim, StateLocation
from reconciler.state.session import Session
from tests.support.in_process import InProcess
from tests.support.sandbox import as_tasks, prompts

open_session, execute = Session.open, Loop.run


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("is_saved", [False, True], ids=["planned", "saved"])
def test_replaced_records_are_let_go_of(
    here: InProcess, monkeypatch: pytest.MonkeyPatch, form: str, *, is_saved: bool
) -> None:
    """Also not to tell who may cancel the task of the last key, which leaves the manifests."""
    here.sandbox.write(as_tasks(prompts(4)))
    assert here.run("apply").code == 0
    here.sandbox.write(as_tasks({key: f"{text}, edited" for key, text in prompts(3).items()}))
    sessions: list[Session] = []
    references: list[tuple[int, int]] = []

    def opened(location: StateLocation, claim: Claim, *, moves: bool = False) -> Session:
        sessions.append(open_session(location, claim, moves=moves))
        return sessions[-1]

    def watched(loop: Loop, plan: Plan) -> ApplyReport:
        kept = [next(iter(sessions[-1].state.records.values()))]
        alone = [replace(kept[0])]
        report = execute(loop, plan)
        references.append((sys.getrefcount(kept[0]), sys.getrefcount(alone[0])))
        return report

    monkeypatch.setattr(Session, "open", opened)
    monkeypatch.setattr(Loop, "run", watched)
    words = ["--replace", "*"]
    if is_saved:
        assert here.run("plan", *words, "--out", "x.plan").code == 0
        words = ["x.plan"]
    ended = here.run("apply", *words, "--format", form)
    assert ended.code == 0, ended.stdout + ended.stderr
    ((kept, alone),) = references
    assert kept == alone
