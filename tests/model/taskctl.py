"""taskctl's own functions on the values of a model: folding, planning, recovery, ages.

Its states are numbered, so that a world is small, and two worlds can be compared.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from reconciler.app import new_state
from reconciler.model.options import PlanOptions
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import Action, Effect, PlannedTask, Reason
from reconciler.plan.planner import PlanInputs, lookups_of, make_plan
from reconciler.plan.recovery import AttemptAges, waited_totals
from reconciler.state.ledger import fold
from reconciler.state.model import Aged, Event, State
from tests.model.service import BOOT, CLOCKS, IDENTITIES, Service, read
from tests.model.world import NOTHING, Declared, Item, Manifests, Process, Setting, Task, World
from tests.support.plan_values import ORG, desired

_states: list[State] = []
_numbers: dict[str, int] = {}
_planned: dict[Item, PlannedTask] = {}
_notes: dict[str, tuple[Event, ...]] = {}
_events: dict[tuple[int, int], tuple[Event, ...]] = {}


def number_of(state: State) -> int:
    """The number of a state. The history of a key plays no part in any decision."""
    records = {ref: replace(r, history=()) for ref, r in sorted(state.records.items())}
    attempts = dict(sorted(state.attempts.items()))
    state = replace(state.pruned(), records=records, attempts=attempts)
    keys = sorted(state.keys.items())
    text = repr(
        (records, attempts, keys, sorted(state.retired.items()), state.latest, state.recovering)
    )
    number = _numbers.setdefault(text, len(_states))
    if number == len(_states):
        _states.append(state)
    return number


def state_of(number: int) -> State:
    return _states[number]


NEW = number_of(State("lineage", 1, "https://api.example.com"))


def append(number: int, *events: Event) -> int:
    """The state after these events of its journal."""
    after = number_of(fold(state_of(number), events))
    _events.setdefault((number, after), events)
    return after


def events_between(before: int, after: int) -> tuple[Event, ...]:
    """The events that made one state of another."""
    return _events[before, after]


# Marks


def mark_of(job: str, number: int) -> str:
    """The mark of the attempt to do a job, from 1."""
    return f"2026-11-24T11:59:{ord(job) - ord('a'):02}.00000{number}Z"


def job_of(mark: str) -> str:
    """The job of an attempt's mark."""
    return chr(ord("a") + int(mark[17:19]))


def free_mark(world: World, job: str, count: int) -> str | None:
    """The mark of the next attempt to do a job, of `count`."""
    used = {mark for mark, _ in state_of(world.state).marks()}
    used.update(task.mark for task in world.tasks)
    used.update(request.mark for request in world.requests)
    used.update(process.mark for process in world.processes)
    marks = (mark_of(job, number) for number in range(1, count + 1))
    return next((mark for mark in marks if mark not in used), None)


# Planning


class Planned(NamedTuple):
    """What an apply does. `settling`: the keys whose attempts it waits for; `unresolved`: those
    that a person has to resolve. `listed`: its baseline, if it has listed the tasks, and if the
    list proves something; `compares`: it was read for look-alikes. `recovers`: the recovery of a
    lost state ends."""

    items: tuple[Item, ...]
    settling: tuple[str, ...]
    unresolved: tuple[str, ...]
    listed: tuple[str, ...] = ()
    compares: bool = False
    recovers: bool = False


_DONE = {Effect.CREATE: "create", Effect.ADOPT: "adopt", Effect.MOVE: "move"}


@cache
def desired_of(task: Declared) -> DesiredTask:
    return desired(task.key, task.prompt, moved_from=task.moved_from or None)


@cache
def _options(setting: Setting, *, adopt: bool) -> PlanOptions:
    return PlanOptions(settle_time=timedelta(seconds=setting.settle), adopt=adopt)


def _ages(process: Process) -> AttemptAges:
    found: Any = [SimpleNamespace(mark=mark, waited=waited) for mark, waited in process.waited]
    ages = AttemptAges(BOOT, found)
    for mark, ticks in process.ended:
        ages.ended(mark, BOOT - ticks)
    return ages


def plan(
    world: World, process: Process, setting: Setting, lacking: tuple[str, ...] = ()
) -> Planned:
    """The plan of a process that has the lock. `lacking`: what the list does not show."""
    return _plan(world.state, world.tasks, _clock_of(process), setting, lacking)


def _clock_of(process: Process) -> Process:
    """The parts of a process that matter for its plan."""
    known = (process.scope, process.only, True, process.waited, process.ended)
    return Process("", *known, adopt=process.adopt, who=process.who)


@cache
def _plan(
    number: int,
    tasks: tuple[Task, ...],
    clock: Process,
    setting: Setting,
    lacking: tuple[str, ...],
) -> Planned:
    state, ages, options = state_of(number), _ages(clock), _options(setting, adopt=clock.adopt)
    who, only = IDENTITIES[clock.who], {TaskRef(ORG, key) for key in clock.only}
    declared = tuple(map(desired_of, clock.scope))
    inputs = PlanInputs(declared, state, options, limit=only or None, ages=ages)
    service = Service(tasks, clock.who, setting, lacking)
    view = read(service, who, lookups_of(inputs, who, CLOCKS))
    made = make_plan(inputs, view)
    noted = tuple(new_state.begun_recoveries(made))
    items = [Item("note", mark=_noted_as(noted))] if noted else []
    items += [Item("close", mark=mark) for mark in made.closed]
    items += [_item(task, clock.scope) for task in made.tasks if task.effect in _DONE]
    open_tasks = [task for task in made.tasks if task.action is Action.UNRESOLVED]
    settling = {task.ref.key for task in open_tasks if task.reason is Reason.SETTLING}
    unresolved = {task.ref.key for task in open_tasks} - settling
    listed = view.newest[ORG].ids if ORG in view.newest else ()
    assert ORG in view.newest or not any(task.creates for task in made.tasks)
    return Planned(
        tuple(items),
        tuple(sorted(settling)),
        tuple(sorted(unresolved)),
        listed,
        ORG in view.compared,
        ORG in made.recovered,
    )


def _noted_as(events: tuple[Event, ...]) -> str:
    name = repr(events)
    _notes[name] = events
    return name


def notes_of(item: Item) -> tuple[Event, ...]:
    return _notes[item.mark]


def _item(task: PlannedTask, scope: Manifests) -> Item:
    key = task.ref.key
    declared = next((each for each in scope if each.key == key), NOTHING._replace(key=key))
    mark = task.attempt.mark if task.attempt is not None else ""
    item = Item(_DONE[task.effect], declared, mark, task.task_id or "")
    _planned[item] = task
    return item


def planned_of(item: Item, state: State) -> PlannedTask:
    """The planned task with what the state has of it now."""
    task = _planned[item]
    record = state.records.get(task.recorded_as)
    return replace(task, attempt=state.attempts.get(item.mark), record=record)


def forget_plans() -> None:
    """For a test that changes the rules."""
    _plan.cache_clear()
    _note_waited.cache_clear()


# Waiting


def note_waited(number: int, process: Process, setting: Setting) -> int:
    """Journals how long the outcomes of attempts have been waited for."""
    return _note_waited(number, _clock_of(process), setting)


@cache
def _note_waited(number: int, process: Process, setting: Setting) -> int:
    attempts, settle = state_of(number).attempts.values(), timedelta(seconds=setting.settle)
    waited = dict(waited_totals(attempts, settle, _ages(process), BOOT))
    longest = float(setting.span)
    return append(number, Aged({mark: min(each, longest) for mark, each in waited.items()}))


@cache
def waited(number: int) -> tuple[tuple[str, float], ...]:
    return tuple((mark, a.waited) for mark, a in sorted(state_of(number).attempts.items()))
