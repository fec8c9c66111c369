"""Which missing tasks of an entry have to wait: for its pilot, for others, after failures. Pure.

The rules look at how the entry's tasks stand, never at a clock, so an apply that is killed at any
point and run again decides the same.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.entry import Rollout
from reconciler.model.task import TaskRef


class Progress(StrEnum):
    """How far a task has come. A task that waits for a person is unfinished, and so is one that may
    exist (unresolved). Failed, cancelled and gone tasks have failed."""

    MISSING = "missing"
    UNFINISHED = "unfinished"
    DONE = "done"
    FAILED = "failed"


class Hold(StrEnum):
    STOPPED = "stopped"  # as many tasks failed as `stopAfter` allows
    PILOT = "pilot"  # the pilot is not done
    AT_ONCE = "atOnce"  # as many tasks are unfinished as may be


@dataclass(frozen=True, slots=True)
class Member:
    """One task of an entry, in the order in which the entry generates them."""

    ref: TaskRef
    progress: Progress
    is_pilot: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Why a missing task is not created now, and which tasks it waits for."""

    hold: Hold
    waits_for: tuple[TaskRef, ...]


def held(
    rollout: Rollout, members: Sequence[Member], asked: Container[TaskRef] | None = None
) -> dict[TaskRef, Held]:
    """The missing tasks of an entry (of one period) that must not be created yet. `asked` are the
    tasks that may be created at all: only they take the places that `atOnce` has."""
    missing = [
        m for m in members if m.progress is Progress.MISSING and (asked is None or m.ref in asked)
    ]
    failed = _refs(members, Progress.FAILED)
    if len(failed) >= rollout.stop_after:
        return {m.ref: Held(Hold.STOPPED, failed) for m in missing}
    waiting = dict(_for_the_pilot(rollout, members))
    found = {m.ref: waiting[m.ref] for m in missing if m.ref in waiting}
    free = [m.ref for m in sorted(missing, key=lambda m: not m.is_pilot) if m.ref not in found]
    if rollout.at_once is not None:
        unfinished = _refs(members, Progress.UNFINISHED)
        slots = max(0, rollout.at_once - len(unfinished))
        ahead = (*unfinished, *free[:slots])
        found.update({ref: Held(Hold.AT_ONCE, ahead) for ref in free[slots:]})
    return found


def _for_the_pilot(rollout: Rollout, members: Sequence[Member]) -> Iterator[tuple[TaskRef, Held]]:
    """Once a later task exists, the pilot is over, whatever becomes of its tasks."""
    later = [m for m in members if not m.is_pilot]
    if not rollout.has_pilot or any(m.progress is not Progress.MISSING for m in later):
        return
    ahead = tuple(m.ref for m in members if m.is_pilot and m.progress is not Progress.DONE)
    if ahead:
        yield from ((m.ref, Held(Hold.PILOT, ahead)) for m in later)


def _refs(members: Sequence[Member], progress: Progress) -> tuple[TaskRef, ...]:
    return tuple(m.ref for m in members if m.progress is progress)
