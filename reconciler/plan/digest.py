"""The content of a saved plan, and the comparison with a new plan. Pure.

`apply --expect-plan` compares the digests. Equal digests mean that apply would do the same, in the
same circumstances. Informative content (notes, files and lines, tasks that apply does not act on,
the state's serial) does not count, so the digest is the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.options import PlanOptions, flag_of
from reconciler.model.remarks import Arg
from reconciler.model.service import Identity
from reconciler.model.typed_json import builtins_of
from reconciler.model.value import Stored, replace
from reconciler.plan.periods import periods_of
from reconciler.plan.plan import Action, Effect, Plan, PlannedTask, Reason

VERSION = 4
"""Increase it when equal plans get a different digest."""

_FINISHING = (Effect.FINISH, Effect.UPDATE, Effect.MOVE)
"""Effects that may also set the name and sharing of a task, which a create request cannot
contain."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{16,64}")
_SHOWN = len("sha256:") + 16


class SavedPlan(Stored, frozen=True):
    """The options and circumstances of a plan, the references of the attempts that it `closes`, and
    for each task that apply acts on, or may create later, a digest of what apply does."""

    backend: str
    lineage: str
    identity: Identity | None
    scope: tuple[str, ...]
    options: PlanOptions
    closes: tuple[str, ...]
    tasks: dict[str, str]

    @classmethod
    def of(cls, plan: Plan) -> SavedPlan:
        followers = frozenset(plan.followers)
        tasks = (task for task in plan.tasks if task.applies or task.ref in followers)
        return cls(
            plan.backend,
            plan.lineage,
            plan.identity,
            tuple(sorted(plan.scope)),
            plan.options,
            tuple(sorted(plan.closed)),
            {str(task.ref): digest(_done(task)) for task in tasks},
        )


def plan_digest(plan: Plan) -> str:
    """`sha256:` and 64 hex digits; the order of tasks and of scope does not matter."""
    content = SavedPlan.of(plan)
    return digest({**builtins_of(content), "identity": _proof(content), "version": VERSION})


def short_digest(plan: Plan) -> str:
    """The digest, abbreviated to 16 hex digits."""
    return plan_digest(plan)[:_SHOWN]


def is_digest(text: str) -> bool:
    """Whether it is a digest, or its beginning with at least 16 hex digits."""
    return _DIGEST.fullmatch(text) is not None


def _done(task: PlannedTask) -> dict[str, object]:
    """The effect of apply on one task, as a plan shows it; for a held task, the task that `apply
    --wait` may create later."""
    desired, record, effect = task.desired, task.record, task.effect
    is_held = effect is Effect.NOTHING
    origin = desired.origin if desired else None
    done = {
        "reason": None if is_held else task.reason.value,
        "taskId": task.task_id,
        "recordedId": record.task_id if record is not None else None,
        "movedFrom": [task.moved_from.org_name, task.moved_from.key] if task.moved_from else None,
        "attempt": task.attempt.reference if task.attempt is not None else None,
        "inputs": digest(desired.inputs) if desired else None,
        "expect": desired.expect.digest if desired and desired.expect else None,
        "after": sorted(desired.after) if desired else None,
        "generated": builtins_of(task.generated),
        "template": digest([origin.key, origin.template]) if origin else None,
        "rollout": builtins_of(origin.rollout) if origin and is_held else None,
        "diff": digest(builtins_of(task.diff)) if task.diff else None,
        "unattended": task.unattended,
        "sets": sorted(task.patch),
        "records": sorted(task.only_recorded),
        "finishes": record.pending if record and effect in _FINISHING else None,
    }
    does = "held" if is_held else task.action.value
    return {"does": does, **{name: value for name, value in done.items() if value}}


def differences(then: SavedPlan, now: SavedPlan) -> Iterator[tuple[str, dict[str, Arg]]]:
    """The differences between a saved plan and what would be done now, as cases of
    SAVED_PLAN_STALE with their facts."""
    if then.backend != now.backend:
        yield "backend", {"then": then.backend, "now": now.backend}
    if then.lineage != now.lineage:
        yield "state", {}
    if _proof(then) != _proof(now):
        yield "identity", {"then": _name(then.identity), "now": _name(now.identity)}
    if then.scope != now.scope:
        yield "scope", {"then": " ".join(then.scope) or "all", "now": " ".join(now.scope) or "all"}
    names = PlanOptions.__struct_fields__
    if flags := [n for n in names if getattr(then.options, n) != getattr(now.options, n)]:
        yield "options", {"flags": tuple(map(flag_of, flags))}
    if then.closes != now.closes:
        yield "attempts", {}
    sides = {
        "more": now.tasks.keys() - then.tasks.keys(),
        "less": then.tasks.keys() - now.tasks.keys(),
        "other": {key for key, does in then.tasks.items() if now.tasks.get(key, does) != does},
    }
    for case, keys in sides.items():
        if keys:
            yield case, {"keys": tuple(sorted(keys))}


def nothing_left(then: SavedPlan, plan: Plan) -> bool:
    """Whether the saved plan is stale only because the tasks that it would create, and no others,
    exist by now, exactly as reviewed."""
    now = SavedPlan.of(plan)
    began = {"lineage": now.lineage} if not then.lineage else {}
    cases = {case for case, _ in differences(replace(then, **began), now)}
    existing = {str(task.ref): task for task in plan.tasks if task.action is Action.UNCHANGED}
    return (
        not now.tasks
        and cases == {"less"}
        and all(key in existing and d in _created(existing[key]) for key, d in then.tasks.items())
    )


def _created(task: PlannedTask) -> tuple[str, str]:
    """The digests of the creation of this task, now or in a later wave."""
    new = PlannedTask(task.ref, Action.CREATE, Reason.NEW, task.file, desired=task.desired)
    return digest(_done(new)), digest(_done(replace(new, action=Action.HELD)))


def refuse_unexpected(plan: Plan, expected: str) -> None:
    """Raises TaskctlError unless the plan's digest is, or begins with, this digest."""
    found = plan_digest(plan)
    if found.startswith(expected):
        return
    periods = periods_of(task.generated for task in plan.tasks if task.desired is not None)
    of = tuple(f"{entry} {name}" for entry, names in periods.items() for name in names)
    case = "period" if of else ""
    who = _name(plan.identity)
    raise TaskctlError.of(
        Code.UNEXPECTED_PLAN, case, expected=expected, found=found, periods=of, who=who
    )


def _proof(content: SavedPlan) -> object:
    return content.identity.proof() if content.identity is not None else None


def _name(identity: Identity | None) -> str:
    return identity.name if identity is not None else "unknown"
