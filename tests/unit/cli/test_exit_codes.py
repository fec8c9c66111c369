"""The exit codes of commands, from what their use cases return."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.app.apply import ApplyWaitReport
from reconciler.app.fmt import FmtReport
from reconciler.app.wait import End
from reconciler.app.wave import Applied
from reconciler.apply.report import ApplyReport, Result, TaskResult
from reconciler.cli import exit_codes
from reconciler.manifest.fmt import Formatted
from reconciler.model.codes import Code
from reconciler.model.diagnostics import error, note
from reconciler.model.task import TaskRef
from reconciler.model.task_state import TaskState
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.tasks.status import TaskStatus

REF = TaskRef("acme", "k")
NOW = datetime(2026, 12, 1, tzinfo=UTC)
PROBLEM = error(Code.INTERNAL_ERROR)
HINT = note(Code.INTERNAL_ERROR)

STATUSES = [
    ([], 0),
    ([TaskState.DONE], 0),
    ([TaskState.DONE, TaskState.RUNNING], 2),
    ([TaskState.RUNNING, TaskState.WAITING], 3),
    ([TaskState.WAITING, TaskState.FAILED], 1),
    ([TaskState.CANCELLED], 1),
    ([TaskState.GONE], 1),
    ([TaskState.STOPPED, TaskState.RUNNING], 1),
]


@pytest.mark.parametrize(("states", "code"), STATUSES)
def test_the_worst_status_decides(states: list[TaskState], code: int) -> None:
    statuses = [TaskStatus(REF, state) for state in states]
    assert exit_codes.of_statuses(statuses) == code
    assert exit_codes.of_statuses(statuses, [HINT]) == code
    assert exit_codes.of_statuses(statuses, [PROBLEM]) == (code or 1)


REPORTS = [
    (ApplyReport(()), 0),
    (ApplyReport((), (HINT,)), 0),
    (ApplyReport((), (PROBLEM,)), 1),
    (ApplyReport((TaskResult(REF, Result.FAILED),)), 1),
    (ApplyReport((), (note(Code.ROLLOUT_STOPPED),)), 0),
    (ApplyReport((), (note(Code.STATE_FULL),)), 1),
    (ApplyReport((), (note(Code.STATE_FULL),), only_new=True), 0),
]


@pytest.mark.parametrize(("report", "code"), REPORTS)
def test_an_apply_fails_if_anything_did(report: ApplyReport, code: int) -> None:
    assert exit_codes.of_apply(Applied(report)) == code
    assert exit_codes.of_apply(Applied(report, signal=143)) == 143


@pytest.mark.parametrize(
    ("end", "states", "held", "code"),
    [
        (End.FINISHED, [TaskState.DONE], [], 0),
        (End.TIMEOUT, [TaskState.RUNNING], [], 2),
        (End.FINISHED, [TaskState.DONE], [Reason.OVERLAP], 1),
        (End.TIMEOUT, [TaskState.RUNNING], [Reason.STOPPED], 1),
        (End.TO_MERGE, [TaskState.DONE], [], 3),
        (End.TO_MERGE, [TaskState.DONE], [Reason.OVERLAP], 3),
        (End.TO_MERGE, [TaskState.DONE], [Reason.STOPPED], 1),
        (End.TO_MERGE, [TaskState.DONE], [Reason.FULL], 1),
        (End.TO_MERGE, [TaskState.FAILED], [], 1),
    ],
)
def test_an_apply_that_waits_says_what_is_left(
    end: End, states: list[TaskState], held: list[Reason], code: int
) -> None:
    report = ApplyWaitReport(
        (),
        statuses=tuple(TaskStatus(REF, state) for state in states),
        end=end,
        read_at=NOW,
        held_tasks=tuple(PlannedTask(REF, Action.HELD, reason, "") for reason in held),
    )
    assert exit_codes.of_apply(Applied(report)) == code


def test_fmt_fails_for_a_change_only_if_it_checks() -> None:
    files = {"a": Formatted(b"", changed=True)}
    assert exit_codes.of_fmt(FmtReport(check=True, files=files)) == 1
    assert exit_codes.of_fmt(FmtReport(check=False, files=files)) == 0
    assert exit_codes.of_fmt(FmtReport(diagnostics=[PROBLEM])) == 1


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
        (SystemExit(), 0),
        (SystemExit("why"), 1),
        (OSError(), 1),
    ],
)
def test_exceptions_end_commands(problem: BaseException, code: int) -> None:
    assert exit_codes.of_exception(problem) == code
