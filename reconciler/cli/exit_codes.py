"""The exit code of every command, derived from the result of its use case.

0 is success and 1 a problem; some commands use 2 and 3 for unfinished work. A signal has 128 and
its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from signal import SIGINT
from typing import TYPE_CHECKING

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, has_errors

if TYPE_CHECKING:
    from reconciler.app.apply import ApplyWaitReport
    from reconciler.app.fmt import FmtReport
    from reconciler.app.wave import Applied
    from reconciler.plan.plan import Plan
    from reconciler.tasks.status import TaskStatus

SIGNALLED = 128
INTERRUPTED = SIGNALLED + SIGINT


def of_exception(error: BaseException) -> int:
    """The exit code for an exception that ends a command."""
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case SystemExit(code=int(code)):
            return code
        case SystemExit(code=None):
            return 0
        case _:
            return 1


def of_problems(diagnostics: Iterable[Diagnostic]) -> int:
    """The exit code is 1 if there is an error."""
    return int(has_errors(diagnostics))


def of_plan(plan: Plan, *, may_fail: bool, detailed: bool) -> int:
    """The exit code is 1 if apply would fail, unless it `may_fail`; `detailed`: 2 if it would make
    changes."""
    if plan.fail_reasons() and not may_fail:
        return 1
    return 2 if detailed and plan.has_changes() else 0


def of_statuses(statuses: Iterable[TaskStatus], diagnostics: Iterable[Diagnostic] = ()) -> int:
    """The exit code is 1 if any task was unsuccessful, else 3 if any is waiting, else 2 if any is
    running, else 0, unless there is an error."""
    codes = (status.state.traits.exit_code for status in statuses)
    return max(codes, key=(0, 2, 3, 1).index, default=0) or of_problems(diagnostics)


def of_status(statuses: Iterable[TaskStatus], diagnostics: Iterable[Diagnostic]) -> int:
    """Like `of_statuses`, but a task that a person has cancelled counts as done."""
    undecided = [status for status in statuses if not status.state.is_decided]
    return of_statuses(undecided, diagnostics)


def of_apply(applied: Applied) -> int:
    """The code of a signal that arrived, or of the wait; else 1 if something failed, or the state
    is full. A stopped rollout does not make it fail: `status` reports what has stopped it."""
    from reconciler.app.apply import ApplyWaitReport

    report = applied.report
    if applied.signal is not None:
        return applied.signal
    if isinstance(report, ApplyWaitReport):
        return _of_wait(report)
    is_full = any(d.code is Code.STATE_FULL for d in report.diagnostics)
    return int((is_full and not report.only_new) or report.failed())


def _of_wait(report: ApplyWaitReport) -> int:
    """The exit code is 1 if something failed, or tasks are held; 3 if they can only be created
    after a merge; else that of the statuses."""
    from reconciler.app.wait import End

    is_to_merge = report.end is End.TO_MERGE
    is_stuck = any(not task.reason.passes for task in report.held_tasks)
    if report.failed() or is_stuck or (report.held_tasks and not is_to_merge):
        return 1
    return of_statuses(report.statuses) or (3 if is_to_merge else 0)


def of_fmt(report: FmtReport) -> int:
    """The exit code is 1 after an error, or if `--check` finds a file that would change."""
    return of_problems(report.diagnostics) or int(report.check and bool(report.changed))


def of_responses(sent: Sequence[object], problems: Sequence[Diagnostic]) -> int:
    """The exit code is 1 if there is a problem, or if nothing was sent."""
    return int(bool(problems) or not sent)
