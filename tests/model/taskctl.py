"""taskctl's own functions on the values of a model: folding, planning, recovery, ages, records.

Its states are numbered, so that a world is small, and two worlds can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from reconciler.apply import records
from reconciler.apply.duplicates import find_duplicates
from reconciler.apply.known_tasks import KnownTasks
from reconciler.model.canonical import digest
from reconciler.model.clock import Clocks
from reconciler.model.identity import Identity
from reconciler.model.remote_task import FirstMessage, RemoteTask
from reconciler.model.service import TaskPage
from reconciler.model.task import DesiredTask, TaskId, TaskRef
from reconciler.model.value import replace
from reconciler.plan.age import AttemptAges, waited_totals
from reconciler.plan.lookup import Lookup
from reconciler.plan.options import PlanOptions
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planner import PlanInputs, make_plan, needs_of
from reconciler.plan.view import RemoteView
from reconciler.state import edit
from reconciler.state.attempt import Attempt, Baseline
from reconciler.state.ledger import fold
from reconciler.state.model import Aged, Attempted, BaselineRead, Event, Recorded, State
from tests.model.world import LISTED, Item, Process, Setting, Task, World
from tests.support.plan_values import NOW, ORG, desired

BOOT = 1000.0
ME, RENAMED = Identity("user-1", login="me"), Identity("user-1", login="another")

_states: list[State] = []
_numbers: dict[str, int] = {}
_planned: dict[Item, PlannedTask] = {}
_events: dict[tuple[int, int], tuple[Event, ...]] = {}


def number_of(state: State) -> int:
    """The number of a state. The history of a key plays no part in any decision."""
    records = {ref: replace(r, history=()) for ref, r in sorted(state.records.items())}
    attempts = dict(sorted(state.attempts.items()))
    state = replace(state.pruned(), records=records, attempts=attempts)
    keys = sorted(state.keys.items())
    text = repr((records, attempts, keys, sorted(state.retired), state.latest))
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


def mark_of(key: str, number: int) -> str:
    """The mark of a key's attempt, from 1."""
    return f"2026-11-24T11:59:{ord(key) - ord('a'):02}.00000{number}Z"


def key_of(mark: str) -> str:
    """The key of an attempt's mark."""
    return chr(ord("a") + int(mark[17:19]))


def free_mark(world: World, key: str, count: int) -> str | None:
    """The mark of the key's next attempt, of `count`."""
    used = {mark for mark, _ in state_of(world.state).marks()}
    used.update(task.mark for task in world.tasks)
    used.update(request.mark for request in world.requests)
    used.update(process.mark for process in world.processes)
    marks = (mark_of(key, number) for number in range(1, count + 1))
    return next((mark for mark in marks if mark not in used), None)


def prompt_of(key: str, setting: Setting) -> str:
    return f"do {key}" if setting.prompts_differ else "do it"


def _message(task: Task, setting: Setting) -> FirstMessage:
    """What the service shows."""
    text = prompt_of(task.owner, setting)
    if not setting.assumed.shows_mark_or_text:
        text = f"Summary: {text}"
    match setting.marks:
        case "kept":
            return FirstMessage(task.mark, text)
        case "cut off":
            return FirstMessage(f"{task.mark[:19]}Z", text)
        case "replaced":
            return FirstMessage("2026-11-24T12:30:00.5Z", text)


# Planning


class Planned(NamedTuple):
    """What an apply does. `settling`: the keys whose attempts it waits for; `unresolved`: those
    that a person has to resolve."""

    items: tuple[Item, ...]
    settling: tuple[str, ...]
    unresolved: tuple[str, ...]


@cache
def _desired(keys: tuple[str, ...], setting: Setting) -> tuple[DesiredTask, ...]:
    return tuple(desired(key, prompt_of(key, setting)) for key in keys)


@cache
def _options(setting: Setting, *, adopt: bool) -> PlanOptions:
    return PlanOptions(settle_time=timedelta(seconds=setting.settle), adopt=adopt)


def _ages(process: Process) -> AttemptAges:
    found: Any = [SimpleNamespace(mark=mark, waited=waited) for mark, waited in process.waited]
    ages = AttemptAges(BOOT, found)
    for mark, ticks in process.ended:
        ages.ended(mark, BOOT - ticks)
    return ages


def plan(world: World, process: Process, setting: Setting) -> Planned:
    """The plan of a process that has the lock."""
    return _plan(world.state, world.tasks, _clock_of(process), world.renamed, setting)


def _clock_of(process: Process) -> Process:
    """What matters of a process for its plan."""
    known = (process.scope, process.only, True, process.waited, process.ended)
    return Process("", *known, adopt=process.adopt)


@cache
def _plan(
    number: int, tasks: tuple[Task, ...], clock: Process, renamed: bool, setting: Setting
) -> Planned:
    state, ages, options = state_of(number), _ages(clock), _options(setting, adopt=clock.adopt)
    who, clocks, declared = (
        RENAMED if renamed else ME,
        Clocks(NOW, BOOT),
        _desired(clock.scope, setting),
    )
    only = {TaskRef(ORG, key) for key in clock.only} or None
    inputs = PlanInputs(declared, state, options, limit=only, ages=ages)
    view = _view(tasks, needs_of(inputs, who, clocks).lookups, who, clocks, setting)
    made = make_plan(inputs, view)
    items = [Item("close", "", mark) for mark in made.closed]
    for task in made.tasks:
        if task.creates or task.action is Action.ADOPT:
            mark = task.attempt.mark if task.attempt is not None else ""
            item = Item(task.action.value, task.ref.key, mark, task.task_id or "")
            _planned[item] = task
            items.append(item)
    open_tasks = [task for task in made.tasks if task.action is Action.UNRESOLVED]
    settling = {task.ref.key for task in open_tasks if task.reason is Reason.SETTLING}
    unresolved = {task.ref.key for task in open_tasks} - settling
    return Planned(tuple(items), tuple(sorted(settling)), tuple(sorted(unresolved)))


def forget_plans() -> None:
    """For a test that changes the rules."""
    _plan.cache_clear()
    _note_waited.cache_clear()


def _view(
    tasks: tuple[Task, ...],
    questions: Iterable[Lookup],
    who: Identity,
    clocks: Clocks,
    setting: Setting,
) -> RemoteView:
    """What is read for these questions, newest first. A task that the list does not show yet can be
    read by its ID."""
    found: dict[TaskId, RemoteTask] = {}
    messages: dict[TaskId, FirstMessage | None] = {}
    listed = tuple(task.id for task in reversed(tasks) if task.age == LISTED)
    for question in questions:
        for task in reversed(tasks):
            seen = listed[: listed.index(task.id) + 1] if task.age == LISTED else ()
            raw = {"id": task.id, "createdBy": {"githubLogin": ME.login}}
            task_id, remote = TaskId(ORG, task.id), RemoteTask(ORG, task.id, raw)
            is_candidate = question.searches and question.needs_message(remote, seen)
            if seen and is_candidate:
                found[task_id], messages[task_id] = remote, _message(task, setting)
            elif task.id in question.ids:
                found[task_id] = remote
    return RemoteView(
        who, clocks, tasks=found, messages=messages, newest={ORG: Baseline(ORG, listed, ME)}
    )


# What a process writes


def _baseline(ids: tuple[str, ...], setting: Setting) -> Baseline:
    """The newest 100 of the tasks that a process has listed first."""
    return Baseline(ORG, ids if setting.assumed.repeats_no_very_old_task else (), ME)


def _attempt(mark: str, listed: tuple[str, ...], setting: Setting) -> Attempt:
    (task,) = _desired((key_of(mark),), setting)
    return Attempt(
        ref=task.ref,
        mark=mark,
        inputs=task.inputs,
        digest=digest(task.inputs),
        identity=ME,
        file=task.file,
        started_at=NOW,
        settle_time=float(setting.settle),
        window=float(setting.window),
        baseline=_baseline(listed, setting).name,
    )


@cache
def journal(number: int, mark: str, listed: tuple[str, ...], setting: Setting) -> int:
    """The attempt to create a task is durable."""
    baseline = BaselineRead(_baseline(listed, setting))
    return append(number, baseline, Attempted(_attempt(mark, listed, setting)))


@cache
def close(number: int, mark: str) -> int:
    return append(number, *state_of(number).close_attempts([mark], "created no task", NOW))


def _context(number: int) -> Any:
    """What `apply.records` needs of an apply."""
    state = state_of(number)
    session = SimpleNamespace(state=state, notes_on=state.notes_on)
    return SimpleNamespace(identity=ME, session=session, clocks=lambda: Clocks(NOW, BOOT))


@cache
def record_created(
    number: int, mark: str, listed: tuple[str, ...], task_id: str, setting: Setting
) -> int | None:
    """Records the task that a response names; None if the response proves nothing."""
    state, known = state_of(number), _baseline(listed, setting).ids
    if task_id in {*state.recorded_ids(), *state.retired, *known}:
        return None
    attempt = _attempt(mark, listed, setting)
    (task,) = _desired((attempt.ref.key,), setting)
    planned: Any = SimpleNamespace(ref=task.ref, record=None, desired=task)
    record = records.created_record(planned, attempt, task_id, _context(number))
    return append(number, Recorded(record))


@cache
def adopt(number: int, item: Item) -> int:
    task = _planned[item]
    return append(
        number, *records.recorded_events(task, records.adopted_record(task, _context(number)))
    )


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


def misses_duplicate(world: World, process: Process, setting: Setting) -> bool:
    """Whether an apply that has created a task does not report a second one of its attempts, if it
    is newer than what the apply has listed first."""
    if setting.marks != "kept":
        return False
    state = state_of(world.state)
    recorded = {mark for record in state.records.values() for mark in record.marks}
    marks = recorded.intersection(process.created)
    known = {*state.recorded_ids(), *process.listed}
    second = {t.id for t in world.tasks if t.mark in marks and t.id not in known}
    return bool(second) and not second <= _found_duplicates(world, process, setting)


def _found_duplicates(world: World, process: Process, setting: Setting) -> set[str]:
    """The IDs that the search at the end of an apply reports."""
    by_id = {task.id: task for task in world.tasks}
    listed = [RemoteTask(ORG, i, {}) for i, task in reversed(by_id.items()) if task.age == LISTED]
    service = SimpleNamespace(
        list_tasks=lambda _: [TaskPage(tuple(listed))],
        first_message=lambda _, task_id: _message(by_id[task_id], setting),
        get_task=lambda *_: None,
    )
    context: Any = SimpleNamespace(
        session=SimpleNamespace(state=state_of(world.state)),
        service=service,
        known=KnownTasks(service),
        baselines={ORG: Baseline(ORG, process.listed, ME)},
        identity=ME,
        clock=SimpleNamespace(boot=lambda: BOOT),
        wait=lambda _: True,
    )
    refs = [TaskRef(ORG, key) for key in process.scope]
    warnings = find_duplicates(context, refs, process.created, 1).warnings
    return {str(each.args["extra"]).removeprefix(f"{ORG}/") for each in warnings}


@cache
def compared(number: int, baseline: tuple[str, ...]) -> int:
    """The state after an apply that has compared every key of all manifests."""
    read = Baseline(ORG, baseline, ME)
    state = replace(
        state_of(number),
        baselines={**state_of(number).baselines, read.name: read},
        latest={ORG: read.name},
    )
    return number_of(state)


def remove(number: int, ref: TaskRef) -> int:
    """`taskctl state rm KEY`."""
    return append(number, *edit.rm(state_of(number), ref, at=NOW))


def without_newest_entry(number: int) -> int:
    """The state if the storage forgets an attempt that it has acknowledged."""
    return number_of(replace(state_of(number), attempts={}))


def resolve(number: int, key: str, task_id: str | None, setting: Setting) -> int:
    """`taskctl state resolve KEY --task-id ID`, or `--not-created` (None)."""
    state, ref = state_of(number), TaskRef(ORG, key)
    if task_id is None and not state.attempts_for(ref):
        return append(number, *edit.not_created(state, ref))
    if state.attempts_for(ref):
        return append(number, *edit.resolve(state, ref, task_id))
    assert task_id is not None
    (task,) = _desired((key,), setting)
    remote = RemoteTask(ORG, task_id, {"id": task_id})
    return append(number, *edit.record_existing(state, task, remote, ME, at=NOW))
