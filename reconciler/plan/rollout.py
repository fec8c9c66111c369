"""Which missing tasks of an entry are held: for its pilot, for running tasks, after failures. Pure.

The rules use the progress of the entry's tasks and never a clock, so an apply that is killed at any
point and run again decides the same.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from reconciler.model.generated import Rollout
from reconciler.model.task import TaskRef
from reconciler.model.task_state import Progress
from reconciler.plan.plan import Reason


class Member(NamedTuple):
    """A task of an entry, in the order in which the entry generates them."""

    ref: TaskRef
    progress: Progress
    is_pilot: bool = False


class Held(NamedTuple):
    """Why a missing task is held (STOPPED, PILOT or AT_ONCE), and the tasks that it waits for."""

    reason: Reason
    waits_for: tuple[TaskRef, ...]


def held(
    rollout: Rollout, members: Sequence[Member], creatable: Container[TaskRef] | None = None
) -> dict[TaskRef, Held]:
    """The missing tasks of an entry (of one period) that must not be created yet. `creatable` are
    the tasks that this run may create (None: all): only they take up the slots of `atOnce`."""
    missing = [
        m
        for m in members
        if m.progress is Progress.MISSING and (creatable is None or m.ref in creatable)
    ]
    failed = _refs(members, Progress.FAILED)
    if len(failed) >= rollout.stop_after:
        return {m.ref: Held(Reason.STOPPED, failed) for m in missing}
    found: dict[TaskRef, Held] = {}
    # Once a later task exists, the pilot is over, whatever the progress of its tasks.
    if rollout.has_pilot and all(m.is_pilot or m.progress is Progress.MISSING for m in members):
        pilot = [member for member in members if member.is_pilot]
        failed = _refs(pilot, Progress.FAILED)  # the pilot cannot pass without them
        why = Reason.STOPPED if failed else Reason.PILOT
        ahead = failed or tuple(m.ref for m in pilot if m.progress is not Progress.DONE)
        found = {m.ref: Held(why, ahead) for m in missing if ahead and not m.is_pilot}
    free = [m.ref for m in sorted(missing, key=lambda m: not m.is_pilot) if m.ref not in found]
    if rollout.at_once is not None:
        unfinished = _refs(members, Progress.UNFINISHED)
        slots = max(0, rollout.at_once - len(unfinished))
        ahead = (*unfinished, *free[:slots])
        found |= {ref: Held(Reason.AT_ONCE, ahead) for ref in free[slots:]}
    return found


def _refs(members: Sequence[Member], progress: Progress) -> tuple[TaskRef, ...]:
    return tuple(m.ref for m in members if m.progress is progress)
