"""Holds creates for which the state has no room. Pure.

They stop before anything could no longer be recorded, or could be written but not read again.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import chain

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import warning
from reconciler.model.task import DesiredTask
from reconciler.model.typed_json import encode_json, indented
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Effect, Plan, Reason
from reconciler.state.attempt import Attempt
from reconciler.state.model import State

_USED = 0.9
"""The share of a state that creates may fill. The rest is for what already exists."""

_MORE = 1024
"""Bytes of the rest of a record: its key and ID, times, marks, history, and who created it."""

_ENTRIES = 4
"""Journal entries of one create that contain its inputs."""

_MOST_INDENTED = 12
"""How many times larger JSON can become when it is indented."""


def with_room(plan: Plan, state: State) -> Plan:
    """The plan, in which creates that do not fit into the state are held, also those of later
    waves."""
    followers = frozenset(plan.followers)
    later = (task for task in plan.tasks if task.ref in followers)
    creates = [
        task.desired
        for task in chain((task for task in plan.tasks if task.creates), later)
        if task.desired is not None
    ]
    if not creates:
        return plan
    adopting = (t for t in plan.tasks if t.effect is Effect.ADOPT and t.attempt is None)
    adopted = [task.desired for task in adopting if task.desired]
    full = {task.ref for task in creates[_fitting(state, adopted, creates) :]}
    if not full:
        return plan
    tasks = tuple(
        replace(task, action=Action.HELD, reason=Reason.FULL, remarks=(), waits_for=())
        if task.ref in full
        else task
        for task in plan.tasks
    )
    problem = warning(Code.STATE_FULL, "planned", count=len(full))
    return replace(plan, tasks=tasks, diagnostics=(*plan.diagnostics, problem))


def _fitting(
    state: State, adopted: Collection[DesiredTask], creates: Collection[DesiredTask]
) -> int:
    """How many of the creates, in this order, the state has room for, after the adoptions, together
    with what can still come of its open attempts, and with the largest outputs of all tasks."""
    if state.fill is None:
        return len(creates)
    saved, journal, most_saved, most = state.fill
    works: list[DesiredTask | Attempt] = [*state.attempts.values(), *adopted, *creates]
    left = _USED * most_saved - saved - journal
    fixed = (limits.OUTPUT_BYTES + _MORE) * (len(works) + len(state.records))
    if _MOST_INDENTED * sum(len(_line(work)) for work in works) + fixed <= left:
        return len(creates)
    left -= sum(
        max(0, limits.OUTPUT_BYTES - len(encode_json(record.outputs)))
        for record in state.records.values()
    )
    left_in_total = _USED * most - saved - journal
    count = len(creates) - len(works)
    for line in map(_line, works):
        text = indented(line)
        left -= len(text) + 6 * text.count(b"\n") + limits.OUTPUT_BYTES + _MORE
        left_in_total -= _ENTRIES * (len(line) + _MORE)
        if left < 0 or left_in_total < 0:
            break
        count += 1
    return max(0, count)


def _line(work: DesiredTask | Attempt) -> bytes:
    """The parts of a record whose size depends on its task."""
    return encode_json((work.inputs, work.file, work.generated))
