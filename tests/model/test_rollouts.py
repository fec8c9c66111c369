"""Every course of a small rollout, explored with taskctl's own `held`: applies, agents that finish
or fail, and rows that are inserted, removed, put back and reordered in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import pytest

from reconciler.model.task import Rollout, TaskRef
from reconciler.model.task_state import Progress
from reconciler.model.value import replace
from reconciler.plan import rollout as rules
from reconciler.plan.plan import Reason
from tests.model.search import Explored, explore

ENDS = (Progress.DONE, Progress.FAILED, Progress.UNKNOWN)


class Rows(NamedTuple):
    """`rows`: the names of today's rows, in their order. `tasks`: the progress of each task that
    exists, by row, also of rows that are gone. `wrong`: what a step found to be wrong."""

    rows: tuple[str, ...]
    tasks: tuple[tuple[str, Progress], ...] = ()
    wrong: str = ""


@dataclass(frozen=True)
class Setting:
    """`names`: the rows that there may be. With `picks_pilot`, the first of them is the pilot."""

    rollout: Rollout
    names: str = "abc"


class Steps:
    """The successors of a state of the rows."""

    def __init__(self, setting: Setting) -> None:
        self._rollout, self._names = setting.rollout, setting.names

    def __call__(self, state: Rows) -> Iterator[tuple[str, Rows]]:
        yield "apply", self._apply(state)
        for row, progress in state.tasks:
            for end in ENDS if progress is Progress.UNFINISHED else ():
                yield f"{row} is {end}", _with(state, row, end)
        yield from self._edit(state)

    def _edit(self, state: Rows) -> Iterator[tuple[str, Rows]]:
        rows = state.rows
        for name in self._names:
            if name in rows:
                yield f"row {name} is removed", state._replace(rows=_without(rows, name))
            for at in range(len(rows) + (name not in rows)):
                left = _without(rows, name)
                verb = "moved" if name in rows else "inserted"
                yield f"row {name} is {verb}", state._replace(rows=(*left[:at], name, *left[at:]))

    def _apply(self, state: Rows) -> Rows:
        """An apply, and what is wrong with what it creates."""
        members, others = self._members(state)
        held = rules.held(self._rollout, members, others)
        missing = [m.ref for m in members if m.progress is Progress.MISSING]
        created = [ref for ref in missing if ref not in held]
        wrong = self._wrong(members, others, created) or _stuck(members, others, created, held)
        for ref in created:
            state = _with(state, ref.key, Progress.UNFINISHED)
        return state._replace(wrong=wrong)

    def _members(self, state: Rows) -> tuple[list[rules.Member], list[rules.Member]]:
        tasks = dict(state.tasks)
        members = [
            rules.Member(TaskRef("acme", r), tasks.get(r, Progress.MISSING), r == self._names[0])
            for r in state.rows
        ]
        gone = [
            rules.Member(TaskRef("acme", r), p) for r, p in tasks.items() if r not in state.rows
        ]
        return members, gone

    def _wrong(
        self, members: list[rules.Member], others: list[rules.Member], created: list[TaskRef]
    ) -> str:
        rollout, count = self._rollout, partial(_count, members)
        needed = min(rollout.pilot, len(members))
        existing = len(members) - count(Progress.MISSING)
        if created and count(Progress.FAILED) >= rollout.stop_after:
            return "a task is created after stopAfter"
        if count(Progress.DONE) < needed and len(created) > max(0, rollout.pilot - existing):
            return "a task is created before the pilot is done"
        pilot = [m for m in members if m.is_pilot and m.progress is not Progress.DONE]
        if rollout.picks_pilot and pilot and any(ref != pilot[0].ref for ref in created):
            return "a task is created before the pilot is done"
        busy = count(Progress.UNFINISHED) + _count(others, Progress.UNFINISHED)
        if created and rollout.at_once and busy + len(created) > rollout.at_once:
            return "more tasks are unfinished than atOnce"
        return ""


def _stuck(
    members: list[rules.Member],
    others: list[rules.Member],
    created: list[TaskRef],
    held: dict[TaskRef, rules.Held],
) -> str:
    """A hold that cannot end by itself must be STOPPED."""
    goes_on = bool(created) or _count([*members, *others], Progress.UNFINISHED) > 0
    if not goes_on and any(hold.reason is not Reason.STOPPED for hold in held.values()):
        return "a hold that cannot end is no alarm"
    return ""


def _count(members: list[rules.Member], progress: Progress) -> int:
    return sum(member.progress is progress for member in members)


def _with(state: Rows, row: str, progress: Progress) -> Rows:
    return state._replace(tasks=tuple(sorted({**dict(state.tasks), row: progress}.items())))


def _without(rows: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(row for row in rows if row != name)


def explore_rows(setting: Setting) -> Explored[Rows]:
    first = Rows(tuple(setting.names[:-1]))
    return explore([first], Steps(setting), lambda state: state.wrong or None)


SMALL = {
    "pilot": Setting(Rollout(pilot=1, stop_after=9)),
    "pilot of two": Setting(Rollout(pilot=2)),
    "picked pilot": Setting(Rollout(picks_pilot=True, stop_after=2)),
    "atOnce": Setting(Rollout(at_once=1, stop_after=9)),
    "pilot and atOnce": Setting(Rollout(pilot=1, at_once=2, stop_after=2)),
}
"""Explored by `make test`; with more rows by `make soak`."""


@pytest.mark.parametrize("name", SMALL)
def test_no_course_of_a_rollout_breaks_its_limits(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explored = explore_rows(SMALL[name])
    assert explored.violation is None, str(explored)
    with capsys.disabled():
        print(f"\n{name}: {explored.states} states")


@pytest.mark.soak
@pytest.mark.parametrize("name", SMALL)
def test_no_course_of_a_rollout_breaks_its_limits_soak(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explored = explore_rows(Setting(SMALL[name].rollout, "abcd"))
    assert explored.violation is None, str(explored)
    with capsys.disabled():
        print(f"\n{name}: {explored.states} states")


def _without_limit(change: dict[str, object]) -> Callable[..., object]:
    """`held`, which ignores a part of the rollout."""
    held = rules.held
    return lambda rollout, *more: held(replace(rollout, **change), *more)


def _until_one_is_done(rollout: Rollout, members: list[rules.Member], *more: Any) -> object:
    """The pilot is over once one of its tasks is done."""
    is_over = any(member.progress is Progress.DONE for member in members)
    return {} if is_over else _held(rollout, members, *more)


_held = rules.held

BROKEN = [
    ("pilot", _without_limit({"pilot": 0})),
    ("pilot of two", _until_one_is_done),
    ("picked pilot", _without_limit({"picks_pilot": False})),
    ("picked pilot", _without_limit({"stop_after": 9})),
    ("atOnce", lambda rollout, members, others=(): _held(rollout, members)),
]
"""Rules that leave something out, each with a setting in which that is wrong."""


@pytest.mark.parametrize(("name", "broken"), BROKEN)
def test_a_broken_rule_of_rollouts_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, broken: Callable[..., object]
) -> None:
    monkeypatch.setattr(rules, "held", broken)
    assert explore_rows(SMALL[name]).violation is not None
