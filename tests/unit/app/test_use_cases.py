"""Use cases without click and without a terminal: plain values in, reports out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.app.apply import apply
from reconciler.app.plan import plan
from reconciler.app.state import read_tasks, remove_records
from reconciler.app.status import status
from reconciler.app.validate import validate
from reconciler.app.wave import ApplyRequest
from reconciler.cli import exit_codes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions
from tests.support.recording_ui import RecordingUi, context

MANIFEST = {"version": 1, "orgName": "acme", "tasks": {"one": {"message": "do it"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/all.yaml").write_text(json.dumps(MANIFEST))
    return tmp_path


def test_a_task_from_manifest_to_state(folder: Path) -> None:
    ui = RecordingUi(answer=True)
    with context(folder, ui) as ctx:
        assert validate(ctx, ()).tasks == 1
        made = plan(ctx, (), PlanOptions())
        assert [task.ref.key for task in made.tasks if task.creates] == ["one"]
        applied = apply(ctx, ApplyRequest())
        assert (exit_codes.of_apply(applied), applied.report.summary()["created"]) == (0, 1)
        assert "confirm" in ui.notes
        report = status(ctx, ("o*",))
        assert [one.ref.key for one in report.statuses] == ["one"]
        assert [one.changed for one in remove_records(ctx, ["one"], yes=False)] == [True]
        assert read_tasks(ctx)[1] == ()


def test_a_declined_apply_creates_nothing(folder: Path) -> None:
    with context(folder, RecordingUi(answer=False)) as ctx:
        applied = apply(ctx, ApplyRequest())
        assert (exit_codes.of_apply(applied), applied.plan) == (1, None)
        assert [each.code for each in applied.report.diagnostics] == [Code.DECLINED]
        assert read_tasks(ctx)[1] == ()


def test_without_a_terminal_yes_is_required(folder: Path) -> None:
    with context(folder, RecordingUi()) as ctx:
        with pytest.raises(TaskctlError) as caught:
            apply(ctx, ApplyRequest())
        assert [each.code for each in caught.value.diagnostics] == [Code.CONFIRMATION_REQUIRED]
        assert exit_codes.of_apply(apply(ctx, ApplyRequest(yes=True))) == 0
