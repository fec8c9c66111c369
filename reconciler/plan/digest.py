"""The digest of a plan, which `apply --expect-plan` compares with that of the fresh plan.

Equal digests mean that apply would do the same: the same tasks, for the same identity, at the same
service, from the same inputs, with the same options. What is only informative (ages, notes, files
and lines, tasks without changes) does not count, so the digest is the same on every machine.
"""

from __future__ import annotations

import re

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.plan.periods import periods_of
from reconciler.plan.plan import Action, Plan, PlannedTask, Reason

VERSION = 1
"""To be increased when equal plans get a different digest."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{16,64}")
_SHOWN = len("sha256:") + 16


def plan_digest(plan: Plan) -> str:
    """`sha256:` and 64 hex digits; the order of tasks and of scope does not matter."""
    if plan.shown_digest:
        return plan.shown_digest
    who, followers = plan.identity, frozenset(plan.followers)
    return digest(
        {
            "version": VERSION,
            "backend": plan.backend,
            "identity": [who.id, who.organization or None, who.team or None] if who else None,
            "scope": sorted(plan.scope),
            "options": dict(plan.options),
            "tasks": [
                _done(task)
                for task in sorted(plan.tasks, key=lambda t: t.ref)
                if task.applies or task.ref in followers
            ],
        }
    )


def _done(task: PlannedTask) -> dict[str, object]:
    """What apply would do about one task."""
    does = task.action.value
    if task.creates and task.action is not Action.REPLACE:
        does = "create"
    elif task.reason is Reason.UNFINISHED:
        does = task.reason.value
    update = {"update": sorted(task.patch)} if task.updated else {}
    return {
        "task": [task.ref.org_name, task.ref.key],
        "does": does,
        "taskId": task.task_id if not task.creates or task.action is Action.REPLACE else None,
        "movedFrom": [task.moved_from.org_name, task.moved_from.key] if task.moved_from else None,
        "inputs": digest(task.desired.inputs) if task.desired is not None else None,
        **_order(task),
        **update,
        **({"cancels": True} if task.cancels else {}),
    }


def short_digest(plan: Plan) -> str:
    """The digest, abbreviated to 16 hex digits."""
    return plan_digest(plan)[:_SHOWN]


def _order(task: PlannedTask) -> dict[str, object]:
    """What the task must deliver, and the tasks before it, if its manifest says."""
    desired = task.desired
    expect = desired.expect.digest if desired is not None and desired.expect is not None else None
    after = sorted(desired.after) if desired is not None else []
    return {**({"expect": expect} if expect else {}), **({"after": after} if after else {})}


def is_digest(text: str) -> bool:
    """Whether it is a digest, or its beginning with at least 16 hex digits."""
    return _DIGEST.fullmatch(text) is not None


def refuse_unexpected(plan: Plan, expected: str) -> None:
    """Raises TaskctlError unless the plan's digest is this one, or begins with it."""
    found = plan_digest(plan)
    if not found.startswith(expected):
        periods = periods_of(task.generated for task in plan.tasks if task.desired is not None)
        of = tuple(f"{entry} {name}" for entry, names in periods.items() for name in names)
        case = "period" if of else ""
        raise TaskctlError.of(
            Code.UNEXPECTED_PLAN, case, expected=expected, found=found, periods=of
        )
