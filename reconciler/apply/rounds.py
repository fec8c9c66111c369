"""Applies a plan in rounds: runs it, plans the remaining tasks again, and runs that plan, until
nothing is left that this apply can do."""

from __future__ import annotations

from collections.abc import Callable, Collection

from reconciler.apply.report import ApplyReport
from reconciler.apply.run import Run
from reconciler.model.diagnostics import RemoteError, StateError
from reconciler.model.task import TaskRef
from reconciler.plan.explanation import Explanation
from reconciler.plan.plan import Plan


def run_in_rounds(
    run: Run,
    plan: Plan,
    explanation: Explanation,
    plan_again: Callable[[Collection[TaskRef]], tuple[Plan, Explanation]],
) -> ApplyReport:
    """Runs a plan, and then the plans that `plan_again` makes for the remaining keys. `plan_again`
    reads, explains and plans; it may raise RemoteError."""
    try:
        left = run.start(plan, explanation)
        while left.refs:
            try:
                later, explanation = plan_again(left.refs)
            except RemoteError as problem:
                left = run.give_up(left, problem)
            else:
                left = run.resume(left, later, explanation)
    except StateError as problem:
        return run.report(problem.diagnostics)  # the results must still be reported
    return run.report()
