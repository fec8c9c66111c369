"""The missing tasks of an entry that are held: for its pilot, for running tasks, after failures.
Pure.

The rules use the progress of the entry's tasks and never a clock, so an apply that is killed at any
point and run again makes the same decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from reconciler.model.task import DesiredTask, Removal, Rollout, TaskRef
from reconciler.model.task_state import Progress
from reconciler.plan.keys import moved_ref
from reconciler.plan.plan import HoldReason, Reason
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class Member(NamedTuple):
    """A task of an entry.

    - `is_selected`: this run may create it.
    - `is_held`: it is held for another reason than its rollout.
    - `is_stuck`: a pilot with it cannot pass, because it stays held, or because no user who applies
      can see whether it succeeds.
    - `is_again`: its failed task is to be replaced once `atOnce` has a slot for the new task. Until
      then, it counts as unfinished, and takes no slot.
    """

    ref: TaskRef
    progress: Progress
    is_pilot: bool = False
    is_selected: bool = True
    is_held: bool = False
    is_stuck: bool = False
    is_again: bool = False

    @property
    def is_creatable(self) -> bool:
        return self.progress is Progress.MISSING and self.is_selected and not self.is_held


class Held(NamedTuple):
    """The reason why a missing task is held (STOPPED, PILOT or AT_ONCE), and the tasks that it
    waits for."""

    reason: HoldReason
    waits_for: tuple[TaskRef, ...]


def held(
    rollout: Rollout, members: Sequence[Member], others: Iterable[Member] = ()
) -> dict[TaskRef, Held]:
    """The missing tasks of an entry and a period that must not be created yet. `members` are all
    its tasks in the order in which the entry generates them; `others`, of other periods and of
    removed rows, count for `atOnce` only."""
    missing = [member.ref for member in members if member.is_creatable]
    again = [member.ref for member in members if member.is_again]
    everyone = (*members, *others)
    unknown = _refs(everyone, Progress.UNKNOWN)
    if rollout.at_once is not None and len(unknown) >= rollout.at_once:  # no slot becomes free
        return {ref: Held(Reason.STOPPED, unknown) for ref in (*again, *missing)}
    failed = _refs(members, Progress.FAILED)
    if len(failed) >= rollout.stop_after:
        stopped = {ref: Held(Reason.STOPPED, failed) for ref in missing}
        return stopped | _beyond(rollout.at_once, again, everyone)
    first: list[TaskRef] = []
    held_back: dict[TaskRef, Held] = {}
    if rollout.has_pilot:
        first, why = _pilot_of(rollout.pilot, members) if rollout.pilot else _picked(members)
        held_back = dict.fromkeys(missing, why) if why is not None else {}
    for ref in first:
        held_back.pop(ref, None)
    pilot = set(first)
    free = sorted((r for r in missing if r not in held_back), key=lambda ref: ref not in pilot)
    return held_back | _beyond(rollout.at_once, [*again, *free], everyone)


def _pilot_of(size: int, members: Sequence[Member]) -> tuple[list[TaskRef], Held | None]:
    """The tasks that may be created for a pilot of any `size` tasks, and the reason why the others
    are held; None if it has passed."""
    needed = min(size, len(members))
    done = _refs(members, Progress.DONE)
    if len(done) >= needed:
        return [], None
    unfinished = _refs((m for m in members if not m.is_stuck), Progress.UNFINISHED)
    missing = [m for m in members if m.progress is Progress.MISSING]
    room = max(0, size - (len(members) - len(missing)))
    # Tasks that are held for other reasons come last; they may still become part of the pilot.
    usable = sorted((m for m in missing if not m.is_stuck), key=lambda m: m.is_held)
    first = [member.ref for member in usable[:room]]
    if len(done) + len(unfinished) + len(first) >= needed:
        return first, Held(Reason.PILOT, (*unfinished, *first))
    return first, Held(Reason.STOPPED, _lost(members))


def _picked(members: Sequence[Member]) -> tuple[list[TaskRef], Held | None]:
    """As `_pilot_of`, for a pilot of specific tasks."""
    pilot = [member for member in members if member.is_pilot]
    first, lost = [member.ref for member in pilot], _lost(pilot)
    ahead = lost or tuple(m.ref for m in pilot if m.progress is not Progress.DONE)
    if not ahead:
        return [], None
    return first, Held(Reason.STOPPED if lost else Reason.PILOT, ahead)


def _lost(members: Iterable[Member]) -> tuple[TaskRef, ...]:
    """The tasks that will not become done by themselves."""
    return tuple(m.ref for m in members if m.progress.is_lost or m.is_stuck)


def _beyond(
    limit: int | None, free: Sequence[TaskRef], members: Collection[Member]
) -> dict[TaskRef, Held]:
    """The tasks for which `atOnce` has no slot left."""
    if limit is None:
        return {}
    taken = tuple(m.ref for m in members if m.progress.takes_slot and not m.is_again)
    slots = max(0, limit - len(taken))
    return dict.fromkeys(free[slots:], Held(Reason.AT_ONCE, (*taken, *free[:slots])))


def _refs(members: Iterable[Member], progress: Progress) -> tuple[TaskRef, ...]:
    return tuple(m.ref for m in members if m.progress is progress)


class Rollouts:
    """The entries with a rollout: their tasks, in order, and the other tasks that count for their
    `atOnce`: recorded and attempted tasks of other periods and of removed rows, except those that
    manifests list under `removed`."""

    def __init__(
        self, desired: Iterable[DesiredTask], state: State, removed: Sequence[Removal]
    ) -> None:
        self._state, self._removed = state, removed
        self.entries: dict[tuple[str, str], list[DesiredTask]] = {}
        for task in desired:
            if task.origin is not None and task.origin.rollout is not None:
                entry = task.origin.generated.entry
                self.entries.setdefault((task.file, entry), []).append(task)

    def beside(self, refs: Collection[TaskRef]) -> list[DesiredTask]:
        """The other tasks of the entries with a pilot that generate some of these."""
        return [
            task
            for tasks in self.entries.values()
            if (origin := tasks[0].origin) and origin.rollout and origin.rollout.has_pilot
            if any(task.ref in refs for task in tasks)
            for task in tasks
            if task.ref not in refs
        ]

    def others(self, file: str, entry: str) -> Iterator[Record | Attempt]:
        """The further tasks that count for the `atOnce` of an entry. Its organizations are those of
        its rows; a removed row may have had another organization."""
        tasks = self.entries[file, entry]
        own = {ref for task in tasks for ref in (task.ref, moved_ref(task))}
        organizations = {task.ref.org_name for task in tasks}
        state = self._state
        all_known: list[Record | Attempt] = [*state.records.values(), *state.attempts.values()]
        for other in all_known:
            made, ref = other.generated, other.ref
            if made is None or made.entry != entry or ref in own:
                continue
            if ref.org_name not in organizations and other.file != file:
                continue
            if not any(removal.matches(ref.org_name, ref.key) for removal in self._removed):
                yield other
