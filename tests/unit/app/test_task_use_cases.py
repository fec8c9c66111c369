"""import, wait, approve, say and cancel without click, on a running service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from reconciler.app.apply import apply
from reconciler.app.context import Context
from reconciler.app.import_ import ImportSelection, import_tasks
from reconciler.app.plan import plan
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.app.respond import Recipient, Response, approve, cancel, say
from reconciler.app.wait import End, WaitOptions, wait
from reconciler.app.wave import ApplyRequest
from reconciler.importing.report import ImportResult
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions
from reconciler.model.task_state import TaskState
from reconciler.plan.plan import Action
from reconciler.tasks.events import Approval, EventSummary
from reconciler.tasks.status import TaskStatus
from tests.support.live_tasks import LiveTasks, live_tasks
from tests.support.plan_values import record
from tests.support.recording_ui import RecordingUi, context

BRIEFLY = WaitOptions(timedelta(seconds=20), timedelta(seconds=0.05), stop_on_waiting=True)


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[LiveTasks]:
    with live_tasks(tmp_path, monkeypatch, capsys) as place:
        yield place


def applied(place: LiveTasks, **prompts: str) -> Context:
    place.write(prompts)
    ctx = context(place.folder, RecordingUi(answer=True), place.url)
    assert not apply(ctx, ApplyRequest()).has_failed
    return ctx


def states(ctx: Context) -> dict[str, TaskState]:
    report, signal = wait(ctx, (), BRIEFLY)
    assert signal is None
    return {status.ref.key: status.state for status in report.statuses}


def outcomes(sent: Iterator[Response | TaskctlError]) -> list[str | Code]:
    return [one.done if isinstance(one, Response) else one.diagnostics[0].code for one in sent]


def test_wait_ends_once_every_task_is_done_or_waits(place: LiveTasks) -> None:
    with applied(place, good="finishing", bad="failing", asks="approving") as ctx:
        assert states(ctx) == {
            "good": TaskState.DONE,
            "bad": TaskState.FAILED,
            "asks": TaskState.WAITING,
        }


def test_a_wait_that_times_out_is_reported(place: LiveTasks) -> None:
    with applied(place, asks="approving") as ctx:
        report, _ = wait(ctx, ("asks",), WaitOptions(timedelta(0), timedelta(0)))
        assert report.end is End.TIMEOUT


def test_an_approval_is_confirmed_and_sent(place: LiveTasks) -> None:
    with applied(place, asks="approving") as ctx:
        states(ctx)
        assert outcomes(approve(ctx, ("asks",))) == ["approved"]
        assert isinstance(ctx.ui, RecordingUi)
        assert "ask.approve" in ctx.ui.notes
        assert states(ctx) == {"asks": TaskState.DONE}


def test_a_declined_approval_is_not_sent(place: LiveTasks) -> None:
    with applied(place, asks="approving") as ctx:
        states(ctx)
        assert isinstance(ctx.ui, RecordingUi)
        ctx.ui.answer = False
        assert outcomes(approve(ctx, ("asks",))) == []
        assert "nothing_sent" in ctx.ui.notes
        assert states(ctx) == {"asks": TaskState.WAITING}
        ctx.ui.answer = None
        assert outcomes(approve(ctx, ("asks",))) == [Code.CONFIRMATION_REQUIRED]


def test_a_message_goes_to_an_idle_task(place: LiveTasks) -> None:
    place.time.stop()
    with applied(place, good="finishing", slow="slow work") as ctx:
        place.time.advance(0.1)
        wait(ctx, ("good",), BRIEFLY)
        assert outcomes(say(ctx, "good", "finishing more")) == ["sent"]
        assert outcomes(say(ctx, "slow", "faster")) == [Code.TASK_BUSY]


def test_cancel_ends_what_runs_and_nothing_else(place: LiveTasks) -> None:
    place.time.stop()
    with applied(place, good="finishing", slow="slow work") as ctx:
        place.time.advance(0.1)
        wait(ctx, ("good",), BRIEFLY)
        sent = outcomes(cancel(ctx, ("slow", "good")))
        assert sorted(map(str, sent)) == ["cancelled", "ended"]


def test_an_imported_task_is_declared_and_recorded(
    place: LiveTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKCTL_ORG", "acme")
    task_id = place.api.create("Review the costs.")
    file, selection = "tasks/imported.yaml", ImportSelection((task_id,))
    with context(place.folder, RecordingUi(answer=True), place.url) as ctx:
        dry = import_tasks(ctx, file, selection, dry_run=True)
        assert task_id in dry.manifest
        assert not (place.folder / file).exists()
        (taken,) = import_tasks(ctx, file, selection).tasks
        assert (taken.result, taken.task_id) == (ImportResult.IMPORTED, task_id)
        assert [task.action for task in plan(ctx, (), PlanOptions()).tasks] == [Action.UNCHANGED]
        (again,) = import_tasks(ctx, file, selection).tasks
        assert again.result is ImportResult.SKIPPED
        with pytest.raises(TaskctlError) as problem:
            import_tasks(ctx, file, ImportSelection(("nowhere",)))
        assert [each.code for each in problem.value.diagnostics] == [Code.NO_SUCH_TASK]


def test_one_of_several_requests_must_be_named() -> None:
    asked = tuple(Approval(name, f"May I {name}?", {}) for name in ("read", "write"))
    kept = record("keys", "id-1")
    status = TaskStatus(kept.ref, TaskState.WAITING, summary=EventSummary(approvals=asked))
    task = Recipient(cast("RecordedTasks", None), kept, status)
    assert task.find_approval("write") is asked[1]
    with pytest.raises(TaskctlError) as refused:
        task.find_approval(None)
    (found,) = refused.value.diagnostics
    assert (found.code, found.args["ids"]) == (Code.SEVERAL_APPROVALS, ("read", "write"))
