"""Every course of a few tasks with `after`, explored with taskctl's own plans: applies, agents that
finish, fail and go on, rows that are removed and put back, and periods that begin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any, NamedTuple

import pytest

from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, Generated, Recurring, TaskOrigin, TaskRef
from reconciler.model.task_state import Progress, TaskState
from reconciler.model.value import replace
from reconciler.plan.hold import HoldRules
from reconciler.plan.plan import Plan, Reason
from reconciler.plan.progress import Absence, Predecessors, Standing, Success, TaskProgress
from reconciler.plan.steps import Inputs, followed_by, make_plan
from reconciler.state.edit import mark_done
from reconciler.state.ledger import fold
from reconciler.state.model import Record, State
from tests.model.search import Explored, explore
from tests.support import plan_values
from tests.support.plan_values import ORG

FILE = "tasks/a.yaml"
LOST = (TaskState.FAILED, TaskState.UNKNOWN)
MERGES = (TaskState.RUNNING, TaskState.DONE)
"""How a task goes on whose pull requests have to be merged."""


class Name(NamedTuple):
    """A generated task; `row` and `period` are empty without `forEach` and `every`."""

    entry: str
    row: str = ""
    period: str = ""

    @property
    def key(self) -> str:
        return "@".join(filter(None, self))

    @property
    def ref(self) -> TaskRef:
        return TaskRef(ORG, self.key)


class Course(NamedTuple):
    """`rows`: the entries and rows of today's manifests. `time`: half periods since the first one
    began. `tasks`: the state of each task that exists, and whether its success is recorded.
    `wrong`: what a step found to be wrong."""

    rows: tuple[tuple[str, str], ...]
    time: int = 0
    tasks: tuple[tuple[Name, TaskState, bool], ...] = ()
    wrong: str = ""


@dataclass(frozen=True)
class Setting:
    """`after`: what each entry waits for; `{row}` is its row. `periods`: the entries recur.
    `late`: those whose periods begin half a period later. `edits`: the rows that are removed and
    put back. `ends`: how agents end."""

    after: Mapping[str, str]
    rows: tuple[str, ...] = ("x", "y")
    periods: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    edits: tuple[tuple[str, str], ...] = ()
    ends: tuple[TaskState, ...] = (TaskState.DONE, TaskState.FAILED)

    def begun(self, entry: str, time: int) -> tuple[str, ...]:
        """The periods of an entry that have begun, the current one last."""
        return self.periods[: (time - (entry in self.late)) // 2 + 1]

    def due(self, entry: str, time: int) -> str:
        """The current period of an entry; empty before the first one."""
        return next(reversed(self.begun(entry, time)), "")


class Steps:
    """The successors of a course."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._followed = {after.partition("@")[0] for after in setting.after.values()}

    def __call__(self, course: Course) -> Iterator[tuple[str, Course]]:
        yield "apply", self._apply(course)
        for name, state, done in course.tasks:
            if name.entry not in self._followed:
                continue  # nothing depends on it
            following = {TaskState.RUNNING: self._setting.ends, TaskState.TO_MERGE: MERGES}
            for after in following.get(state, (TaskState.RUNNING,)):
                yield f"{name.key} is {after}", _with(course, name, after, done)
        for row in self._setting.edits:
            rows = set(course.rows) ^ {row}
            yield f"row {row} is removed or put back", course._replace(rows=tuple(sorted(rows)))
        if course.time < 2 * len(self._setting.periods) - 1:
            yield "time passes", course._replace(time=course.time + 1)

    # taskctl

    def _names(self, course: Course) -> list[Name]:
        """The tasks of today's manifests."""
        if not self._setting.periods:
            return [Name(*row) for row in course.rows]
        due = {entry: self._setting.due(entry, course.time) for entry in self._setting.after}
        return [Name(*row, due[row[0]]) for row in course.rows if due[row[0]]]

    def _desired(self, name: Name) -> DesiredTask:
        after = self._setting.after[name.entry].replace("{row}", name.row)
        made = plan_values.desired(name.key, file=FILE)
        return replace(made, origin=TaskOrigin(_generated(name)), after=(after,) if after else ())

    def _inputs(self, course: Course) -> Inputs:
        desired = tuple(self._desired(name) for name in self._names(course))
        state = plan_values.state(_record(name, done) for name, _, done in course.tasks)
        setting, entries = self._setting, self._setting.after if self._setting.periods else ()
        return Inputs(
            desired,
            state,
            PlanOptions(),
            due={(FILE, entry): setting.due(entry, course.time) for entry in entries},
            recurring={
                TaskRef(ORG, entry): Recurring(
                    frozenset(setting.periods) - {*setting.begun(entry, course.time)},
                    first=setting.periods[0],
                )
                for entry in entries
            },
        )

    def _plan(self, course: Course) -> tuple[Plan, State]:
        """The plan, and the state with the successes that it found."""
        inputs, states = self._inputs(course), {name.ref: s for name, s, _ in course.tasks}
        followed = followed_by(inputs)
        read = {each.record.ref: TaskProgress(states[each.record.ref]) for each in followed}
        shown = [plan_values.remote(r.task_id) for r in inputs.state.records.values()]
        seen = plan_values.facts(shown, progress=read)
        plan = make_plan(inputs, seen, plan_values.explained(inputs, seen))
        done = {r.key: "" for r, found in read.items() if found.progress is Progress.DONE}
        return plan, fold(inputs.state, mark_done(inputs.state, done))

    def _apply(self, course: Course) -> Course:
        """An apply, and what is wrong with what it creates and holds."""
        plan, state = self._plan(course)
        names = {name.ref: name for name in self._names(course)}
        wrong = ""
        tasks = [(n, s, state.records[n.ref].done) for n, s, _ in course.tasks]
        for task in plan.tasks:
            if task.ref not in names or task.ref in state.records:
                continue
            name = names[task.ref]
            expected, found = self._outlook(course, name), None if task.creates else task.reason
            if found != expected:
                wrong = wrong or f"{name.key}: {found or 'created'} for {expected or 'created'}"
            if task.creates:
                tasks.append((name, TaskState.RUNNING, False))
        return course._replace(tasks=tuple(sorted(tasks)), wrong=wrong)

    # What is right

    def _outlook(self, course: Course, name: Name) -> Reason | None:
        """Why a missing task must be held; None if it must be created."""
        known = {other: _success(state, done) for other, state, done in course.tasks}
        outcomes = set()
        for other in self._ahead(course, name):
            if other in known:
                outcomes.add(known[other])
            elif other not in self._names(course):
                outcomes.add(None if self._is_ahead(course, other) else False)
            else:
                stopped = self._outlook(course, other) is Reason.STOPPED
                outcomes.add(False if stopped else None)
        if False in outcomes:
            return Reason.STOPPED
        return Reason.AFTER if None in outcomes else None

    def _is_ahead(self, course: Course, name: Name) -> bool:
        """Whether its period will begin."""
        begun = self._setting.begun(name.entry, course.time)
        return bool(name.period) and name.period not in begun

    def _ahead(self, course: Course, name: Name) -> list[Name]:
        """The tasks that a task waits for."""
        entry, _, row = self._setting.after[name.entry].partition("@")
        if not entry:
            return []
        if row:
            return [Name(entry, name.row)]
        today = [n for n in self._names(course) if n[::2] == (entry, name.period)]
        recorded = [n for n, _, _ in course.tasks if n[::2] == (entry, name.period)]
        if today or not name.period:
            return today
        return recorded or [Name(entry, "", name.period)]


def _success(state: TaskState, done: bool) -> bool | None:
    """Whether a task has succeeded; None if that may change by itself."""
    if done or state is TaskState.DONE:
        return True
    return False if state in LOST else None


def _generated(name: Name) -> Generated:
    return Generated(name.entry, {"row": name.row} if name.row else {}, name.period or None)


def _record(name: Name, done: bool) -> Record:
    made = plan_values.record(name.key, name.key, file=FILE)
    return replace(made, generated=_generated(name), done=done)


def _with(course: Course, name: Name, state: TaskState, done: bool) -> Course:
    others = (task for task in course.tasks if task[0] != name)
    return course._replace(tasks=tuple(sorted((*others, (name, state, done)))))


def explore_courses(setting: Setting) -> Explored[Course]:
    rows = tuple(sorted((entry, row) for entry in setting.after for row in setting.rows))
    return explore([Course(rows)], Steps(setting), lambda course: course.wrong or None)


WEEKS = ("2026-W01", "2026-W02")
ROW_BY_ROW = {"scan": "", "fix": "scan@{row}"}
ENTRY = {"scan": "", "fix": "scan"}
CHAIN = {"scan": "", "fix": "scan", "tell": "fix"}

SMALL = {
    "row by row": Setting(ROW_BY_ROW, edits=(("scan", "x"), ("fix", "x"))),
    "all rows": Setting(ENTRY, edits=(("scan", "x"), ("fix", "x"))),
    "a chain": Setting(CHAIN, rows=("",)),
    "a merge": Setting(CHAIN, rows=("",), ends=(TaskState.TO_MERGE, TaskState.FAILED)),
    "periods": Setting(ENTRY, rows=("",), periods=WEEKS),
    "a later predecessor": Setting(ENTRY, rows=("",), periods=WEEKS, late=("scan",)),
    "a later successor": Setting(ENTRY, rows=("",), periods=WEEKS, late=("fix",)),
}
"""Explored by `make test`."""

ENDS = (TaskState.DONE, TaskState.TO_MERGE, TaskState.FAILED, TaskState.UNKNOWN)
LARGE = {
    "row by row": changed(SMALL["row by row"], ends=ENDS),
    "rows of periods": Setting(
        ENTRY,
        periods=WEEKS,
        edits=(("scan", "x"),),
    ),
    "a chain of periods": Setting(CHAIN, rows=("",), periods=WEEKS),
    "three periods": Setting(
        ENTRY,
        rows=("",),
        periods=(*WEEKS, "2026-W03"),
        late=("scan",),
        ends=ENDS,
    ),
}
"""Explored by `make soak`."""


@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_created_before_what_it_waits_for(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tasks that can continue are not stopped, and others are."""
    explored = explore_courses(SMALL[name])
    assert explored.violation is None, str(explored)
    with capsys.disabled():
        print(f"\n{name}: {explored.states} states")


@pytest.mark.soak
@pytest.mark.parametrize("name", LARGE)
def test_nothing_is_created_before_what_it_waits_for_soak(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explored = explore_courses(LARGE[name])
    assert explored.violation is None, str(explored)
    with capsys.disabled():
        print(f"\n{name}: {explored.states} states")


_of, _of_record = Predecessors.of, Standing.of_record

Named = Mapping[TaskRef, Any]


def _of_the_first_row(self: Predecessors, task: DesiredTask) -> Named:
    """The first row of an entry counts for all its rows."""
    return _of(self, replace(task, after=tuple(name.replace("@y", "@x") for name in task.after)))


def _one(self: Predecessors, task: DesiredTask) -> Named:
    """One row of an entry is enough."""
    return dict(list(_of(self, task).items())[:1])


def _of_the_first_period(self: Predecessors, task: DesiredTask) -> Named:
    """The first period counts for all."""
    assert task.origin is not None
    made = replace(task.origin.generated, period=WEEKS[0])
    return _of(self, replace(task, origin=replace(task.origin, generated=made)))


def _without_dates(self: Predecessors, task: DesiredTask) -> Named:
    """A period that is not due yet counts as over."""
    found = _of(self, task)
    return {r: Absence.OVER if each is Absence.NOT_DUE else each for r, each in found.items()}


def _as_read(self: Standing, record: Record, *success: Success | None) -> Progress:
    """A recorded success does not count."""
    return _of_record(self, replace(record, done=False), *success)


BROKEN: list[tuple[str, object, str, Callable[..., object]]] = [
    ("row by row", Predecessors, "of", _of_the_first_row),
    ("all rows", Predecessors, "of", _one),
    ("periods", Predecessors, "of", _of_the_first_period),
    ("a later predecessor", Predecessors, "of", _without_dates),
    ("a chain", HoldRules, "_with_stopped", lambda _, found: found),
    ("all rows", Standing, "of_record", _as_read),
]
"""Rules that leave something out, each with a setting in which that is wrong."""


@pytest.mark.parametrize(("name", "where", "rule", "broken"), BROKEN)
def test_a_broken_rule_of_after_is_found(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    where: object,
    rule: str,
    broken: Callable[..., object],
) -> None:
    monkeypatch.setattr(where, rule, broken)
    assert explore_courses(SMALL[name]).violation is not None
