"""Is this the plan that was confirmed? Pure.

A plan's digest decides, for saved plans and `apply --expect-plan` alike: equal digests mean that
apply would do the same, in the same circumstances. What is only informative (ages, notes, files and
lines, tasks without changes, the state's serial) does not count, so the digest is the same on every
machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.canonical import ABSENT, canonical_json, digest, digest_of_parts
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError, error
from reconciler.model.identity import Identity
from reconciler.model.remarks import Arg
from reconciler.model.typed_json import builtins_of
from reconciler.plan.options import PlanOptions, flag_of
from reconciler.plan.periods import periods_of
from reconciler.plan.plan import Action, Effect, Plan, PlannedTask

VERSION = 1
"""To be increased when equal plans get a different digest."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{16,64}")
_SHOWN = len("sha256:") + 16
_TOGETHER = 1_000
_NO_TASKS = b'"tasks":{}'  # in no text of canonical JSON, where quotes are escaped


def plan_digest(plan: Plan) -> str:
    """`sha256:` and 64 hex digits; the order of tasks and of scope does not matter."""
    return digest_of_parts(_canonical_parts(plan))


def short_digest(plan: Plan) -> str:
    """The digest, abbreviated to 16 hex digits."""
    return plan_digest(plan)[:_SHOWN]


def is_digest(text: str) -> bool:
    """Whether it is a digest, or its beginning with at least 16 hex digits."""
    return _DIGEST.fullmatch(text) is not None


def confirmed_content(plan: Plan) -> Mapping[str, Any]:
    """What the digest covers, as JSON: what apply would do, and in which circumstances."""
    return _circumstances(plan) | {
        "tasks": {str(task.ref): _done(task) for task in _confirmed_tasks(plan)}
    }


def _canonical_parts(plan: Plan) -> Iterator[bytes]:
    """The canonical JSON of `confirmed_content`, made of some tasks at a time."""
    before, after = canonical_json(_circumstances(plan) | {"tasks": {}}).split(_NO_TASKS)
    gap = _NO_TASKS[:-1]
    tasks = sorted(_confirmed_tasks(plan), key=lambda task: str(task.ref))
    yield before + gap
    for index in range(0, len(tasks), _TOGETHER):
        some = {str(task.ref): _done(task) for task in tasks[index : index + _TOGETHER]}
        yield (b"," if index else b"") + canonical_json(some)[1:-1]
    yield b"}" + after


def _confirmed_tasks(plan: Plan) -> Iterator[PlannedTask]:
    followers = frozenset(plan.followers)
    return (task for task in plan.tasks if task.applies or task.ref in followers)


def _circumstances(plan: Plan) -> dict[str, Any]:
    who = plan.identity
    return {
        "version": VERSION,
        "backend": plan.backend,
        "lineage": plan.lineage,
        "identity": [who.id, who.organization or None, who.team or None] if who else None,
        "scope": sorted(plan.scope),
        "options": builtins_of(plan.options),
        "closes": sorted(plan.closed),
    }


def _done(task: PlannedTask) -> dict[str, object]:
    """What apply would do about one task; of a held one, what `apply --wait` may create later."""
    desired, record, effect = task.desired, task.record, task.effect
    is_held = effect is Effect.NOTHING
    rollout = desired.origin.rollout if is_held and desired and desired.origin else None
    done = {
        "replaces": task.action is Action.REPLACE,
        "taskId": task.task_id,
        "recordedId": record.task_id if record is not None else None,
        "movedFrom": [task.moved_from.org_name, task.moved_from.key] if task.moved_from else None,
        "attempt": task.attempt.mark if task.attempt is not None else None,
        "inputs": digest(desired.inputs) if desired else None,
        "expect": desired.expect.digest if desired and desired.expect else None,
        "after": sorted(desired.after) if desired else None,
        "rollout": builtins_of(rollout),
        "sets": _replaced_values(task),
        "records": sorted(task.only_recorded),
        "finishes": record.pending if record and effect in (Effect.FINISH, Effect.UPDATE) else None,
    }
    does = "held" if is_held else effect.name.lower()
    return {"does": does, **{name: value for name, value in done.items() if value}}


def _replaced_values(task: PlannedTask) -> dict[str, object]:
    """The settings to set, each with the value that was shown beside the new one."""
    now = {change.path: change.before for change in task.diff if change.before is not ABSENT}
    return {name: now.get(name) for name in task.patch}


def refuse_unexpected(
    plan: Plan, expected: str, reviewed: Plan | None = None, file: str = ""
) -> None:
    """Raises TaskctlError unless the plan's digest is this one, or begins with it. If the plan that
    has it is known (`reviewed`, from the saved plan `file`), the error says what is different."""
    found = plan_digest(plan)
    if found.startswith(expected):
        return
    if reviewed is not None:
        cases = list(_differences(reviewed, plan)) or [("", {})]
        at = Place(file=file)
        raise TaskctlError(
            [error(Code.SAVED_PLAN_STALE, case, at=at, **facts) for case, facts in cases]
        )
    periods = _periods(plan)
    of = tuple(f"{entry} {name}" for entry, names in periods.items() for name in names)
    case = "period" if of else ""
    who = _name(plan.identity)
    raise TaskctlError.of(
        Code.UNEXPECTED_PLAN, case, expected=expected, found=found, periods=of, who=who
    )


def _differences(then: Plan, now: Plan) -> Iterator[tuple[str, dict[str, Arg]]]:
    """How the plan differs from the reviewed one, as cases of SAVED_PLAN_STALE with their facts."""
    old, new = confirmed_content(then), confirmed_content(now)
    if old["backend"] != new["backend"]:
        yield "backend", {"then": then.backend, "now": now.backend}
    if (
        old["lineage"] and old["lineage"] != new["lineage"]
    ):  # not if it was saved for the first time
        yield "state", {}
    if old["identity"] != new["identity"]:
        yield "identity", {"then": _name(then.identity), "now": _name(now.identity)}
    if old["scope"] != new["scope"]:
        yield "scope", {"then": " ".join(then.scope) or "all", "now": " ".join(now.scope) or "all"}
    names = PlanOptions.__struct_fields__
    if flags := [n for n in names if getattr(then.options, n) != getattr(now.options, n)]:
        yield "options", {"flags": tuple(map(flag_of, flags))}
    before, after = _periods(then), _periods(now)
    recurring = [entry for entry in before if before[entry] != after.get(entry, before[entry])]
    for entry in recurring:
        facts = {"then": ", ".join(before[entry]), "now": ", ".join(after[entry])}
        yield "period", {"entry": entry, **facts}
    tasks, due = old["tasks"], new["tasks"]
    sides = {
        "more": due.keys() - tasks.keys(),
        "less": tasks.keys() - due.keys(),
        "other": {ref for ref in tasks.keys() & due.keys() if tasks[ref] != due[ref]},
    }
    for case, refs in sides.items():
        if refs and not recurring:
            yield case, {"keys": tuple(sorted(refs))}
    if old["closes"] != new["closes"] and not any(sides.values()):
        yield "attempts", {}


def _periods(plan: Plan) -> dict[str, tuple[str, ...]]:
    return periods_of(task.generated for task in plan.tasks if task.desired is not None)


def _name(identity: Identity | None) -> str:
    return identity.name if identity is not None else "unknown"
