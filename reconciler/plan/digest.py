"""Compares a plan with the plan that was confirmed. Pure.

A plan's digest decides for `apply --expect-plan`: equal digests mean that apply would do the same,
in the same circumstances. Informative content (notes, files and lines, tasks without changes, the
state's serial) does not count, so the digest is the same on every machine. It does count for
a saved plan, which becomes stale with any change to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.model.canonical import digest
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError, error
from reconciler.model.options import PlanOptions, flag_of
from reconciler.model.remarks import Arg
from reconciler.model.service import Identity
from reconciler.model.typed_json import builtins_of, encode_json, members
from reconciler.model.value import replace
from reconciler.plan.codec import as_saved
from reconciler.plan.periods import periods_of
from reconciler.plan.plan import Effect, Plan, PlannedTask
from reconciler.plan.replacement import before_end

VERSION = 3
"""Increase it when equal plans get a different digest."""

_FINISHING = (Effect.FINISH, Effect.UPDATE, Effect.MOVE)
"""What may also set the name and sharing of a task, which its create request could not carry."""

_REPLACING = (Effect.CREATE, Effect.ADOPT)
"""The effects that may give a key another task."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{16,64}")
_SHOWN = len("sha256:") + 16


def plan_digest(plan: Plan) -> str:
    """`sha256:` and 64 hex digits; the order of tasks and of scope does not matter."""
    return digest(confirmed_content(plan))


def short_digest(plan: Plan) -> str:
    """The digest, abbreviated to 16 hex digits."""
    return plan_digest(plan)[:_SHOWN]


def is_digest(text: str) -> bool:
    """Whether it is a digest, or its beginning with at least 16 hex digits."""
    return _DIGEST.fullmatch(text) is not None


def confirmed_content(plan: Plan) -> Mapping[str, Any]:
    """The content that the digest covers, as JSON: the effects of apply, and their
    circumstances."""
    return _circumstances(plan) | {
        "tasks": {str(task.ref): _done(task) for task in _confirmed_tasks(plan)}
    }


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


def refuse_stale(plan: Plan, reviewed: Plan, file: str) -> None:
    """Raises TaskctlError unless the plan, when saved, is exactly the `reviewed` plan, which was
    read from `file`. A task that was running when its replacement was reviewed may have ended."""
    running = {task.ref for task in reviewed.tasks if task.unfinished}
    saved = as_saved(plan)
    tasks = (
        before_end(task) if task.ref in running and task.effect in _REPLACING else task
        for task in saved.tasks
    )
    now = replace(saved, tasks=tuple(tasks))
    if encode_json(now) != encode_json(reviewed):
        cases = list(_differences(reviewed, now)) or [_other_difference(reviewed, now)]
        at = Place(file=file)
        raise TaskctlError(
            [error(Code.SAVED_PLAN_STALE, case, at=at, **facts) for case, facts in cases]
        )


def refuse_unexpected(plan: Plan, expected: str) -> None:
    """Raises TaskctlError unless the plan's digest is, or begins with, this digest."""
    found = plan_digest(plan)
    if found.startswith(expected):
        return
    periods = _periods(plan)
    of = tuple(f"{entry} {name}" for entry, names in periods.items() for name in names)
    case = "period" if of else ""
    who = _name(plan.identity)
    raise TaskctlError.of(
        Code.UNEXPECTED_PLAN, case, expected=expected, found=found, periods=of, who=who
    )


def _differences(then: Plan, now: Plan) -> Iterator[tuple[str, dict[str, Arg]]]:
    """The differences between the plan and the reviewed plan, as cases of SAVED_PLAN_STALE with
    their facts."""
    old, new = _circumstances(then), _circumstances(now)
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
    tasks, due = _texts(then), _texts(now)
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


def _other_difference(then: Plan, now: Plan) -> tuple[str, dict[str, Arg]]:
    """The difference between plans for the same tasks and circumstances: in their warnings, or in
    other members of the file."""
    old, new = members(encode_json(then)), members(encode_json(now))
    names = tuple(n for n in sorted({*old, *new}) if old.get(n) != new.get(n))
    if names != ("diagnostics",):
        return "members", {"names": names}
    known, found = then.diagnostics, now.diagnostics
    changed = [d for d in (*known, *found) if d not in known or d not in found] or known
    return "diagnostics", {"codes": tuple(sorted({d.code.value for d in changed}))}


def _texts(plan: Plan) -> dict[str, bytes]:
    return {str(task.ref): encode_json(task) for task in plan.tasks}


def _periods(plan: Plan) -> dict[str, tuple[str, ...]]:
    return periods_of(task.generated for task in plan.tasks if task.desired is not None)


def _name(identity: Identity | None) -> str:
    return identity.name if identity is not None else "unknown"
