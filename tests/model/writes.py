"""What a process writes to a state, and what people write with `state` commands: taskctl's own
functions on the values of a model."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

from reconciler.app.new_state import ended_recoveries
from reconciler.apply import records
from reconciler.apply.duplicates import find_duplicates
from reconciler.apply.known_tasks import KnownTasks
from reconciler.model.canonical import digest
from reconciler.model.clock import Clocks
from reconciler.model.service import RemoteTask
from reconciler.model.task import TaskRef, text_of
from reconciler.model.value import replace
from reconciler.state import edit
from reconciler.state.attempt import Attempt, Baseline, RetiredTask
from reconciler.state.model import Attempted, BaselineRead, Record, Recorded
from tests.model.service import BOOT, CLOCKS, IDENTITIES, Service, shown
from tests.model.taskctl import (
    append,
    desired_of,
    job_of,
    notes_of,
    number_of,
    planned_of,
    state_of,
)
from tests.model.world import ME, Declared, Item, Process, Setting, Task, World
from tests.support.plan_values import NOW, ORG

# Apply


def _baseline(ids: tuple[str, ...], who: str, setting: Setting) -> Baseline:
    """The newest 100 of the tasks that a process has listed first."""
    ids = ids if setting.assumed.repeats_no_very_old_task else ()
    newest = RemoteTask(ORG, "", {"createdAt": ids[0].partition("#")[0]}) if ids else None
    at = newest.created_at if newest is not None else None
    return Baseline(ORG, ids, IDENTITIES[who], at)


def _attempt(
    mark: str, task: Declared, listed: tuple[str, ...], who: str, setting: Setting
) -> Attempt:
    made = desired_of(task)
    return Attempt(
        ref=made.ref,
        mark=mark,
        inputs=made.inputs,
        digest=digest(made.inputs),
        identity=IDENTITIES[who],
        file=made.file,
        started_at=NOW,
        settle_time=float(setting.settle),
        window=float(setting.window),
        baseline=_baseline(listed, who, setting).name,
        run="run",
    )


def journal(number: int, me: Process, setting: Setting) -> int:
    """The attempt to create a task is durable."""
    return _journal(number, me.mark, me.task, me.listed, me.who, setting)


@cache
def _journal(
    number: int, mark: str, task: Declared, listed: tuple[str, ...], who: str, setting: Setting
) -> int:
    planned: Any = SimpleNamespace(desired=desired_of(task))
    answered = records.answered_events(planned, _context(number, who))
    baseline = BaselineRead(_baseline(listed, who, setting))
    attempt = _attempt(mark, task, listed, who, setting)
    return append(number, *answered, baseline, Attempted(attempt))


@cache
def close(number: int, mark: str) -> int:
    return append(number, *state_of(number).close_attempts([mark], "created no task", NOW))


def _context(number: int, who: str) -> Any:
    """What `apply.records` needs of an apply."""
    state = state_of(number)
    session = SimpleNamespace(state=state, notes_on=state.notes_on)
    return SimpleNamespace(identity=IDENTITIES[who], session=session, clocks=lambda: CLOCKS)


def record_created(number: int, me: Process, task_id: str, setting: Setting) -> int | None:
    """Records the task that a response names; None if the response proves nothing."""
    return _record_created(number, me.mark, me.task, me.listed, me.who, task_id, setting)


@cache
def _record_created(
    number: int,
    mark: str,
    task: Declared,
    listed: tuple[str, ...],
    who: str,
    task_id: str,
    setting: Setting,
) -> int | None:
    state, known = state_of(number), _baseline(listed, who, setting).ids
    if task_id in {*state.recorded_ids(), *state.retired, *known}:
        return None
    attempt, made = _attempt(mark, task, listed, who, setting), desired_of(task)
    planned: Any = SimpleNamespace(ref=made.ref, record=None, desired=made)
    record = records.created_record(planned, attempt, task_id, _context(number, who))
    return append(number, Recorded(record))


@cache
def adopt(number: int, item: Item, who: str) -> int:
    task = planned_of(item, state_of(number))
    record = records.adopted_record(task, _context(number, who))
    return append(number, *records.recorded_events(task, record))


@cache
def note(number: int, item: Item) -> int:
    """The recovered part of a lost state."""
    return append(number, *notes_of(item))


@cache
def end_recovery(number: int) -> int:
    """All keys of a lost state have a task or an answer."""
    plan: Any = SimpleNamespace(tasks=(), recovered=(ORG,))
    return append(number, *ended_recoveries(plan, state_of(number)))


@cache
def move(number: int, item: Item, who: str) -> int:
    """Moves a record to the new key of its task, unless another process has."""
    task = planned_of(item, state_of(number))
    if task.record is None:
        return number
    record = records.moved_record(task, task.record, _context(number, who))
    return append(number, *records.recorded_events(task, record))


@cache
def compared(number: int, baseline: tuple[str, ...], who: str, setting: Setting) -> int:
    """The state after an apply that has compared every key of all manifests."""
    read = _baseline(baseline, who, setting)
    state = replace(
        state_of(number),
        baselines={**state_of(number).baselines, read.name: read},
        latest={ORG: read.name},
    )
    return number_of(state)


# Duplicates


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
    service: Any = Service(world.tasks, process.who, setting)
    context: Any = SimpleNamespace(
        session=SimpleNamespace(state=state_of(world.state)),
        service=service,
        known=KnownTasks(service),
        baselines={ORG: _baseline(process.listed, process.who, setting)},
        identity=IDENTITIES[process.who],
        clock=SimpleNamespace(boot=lambda: BOOT),
        clocks=lambda: Clocks(NOW, BOOT),
        settle_time=NOW - NOW,
        wait=lambda _: True,
    )
    refs = [desired_of(task).ref for task in process.scope]
    warnings = find_duplicates(context, refs, process.created, 1).warnings
    found = (str(each.args["extra"]) for each in warnings if "extra" in each.args)
    return {each.removeprefix(f"{ORG}/") for each in found}


# People, and the storage


def remove(number: int, ref: TaskRef) -> int:
    """`taskctl state rm KEY`."""
    return append(number, *edit.rm(state_of(number), ref, at=NOW))


def accept(number: int, task: Declared) -> int:
    """`taskctl state accept KEY`, if the key has a record."""
    state, made = state_of(number), desired_of(task)
    if made.ref not in state.records:
        return number
    return append(number, *edit.accept(state, made.ref, made.inputs, made.file))


@cache
def known_ids(number: int, who: str) -> frozenset[str]:
    """The IDs that a user has listed or created."""
    state, me = state_of(number), IDENTITIES[who]
    listed = (b.ids for b in state.baselines.values() if me.same_as(b.identity))
    created = (
        r.task_id for r in state.records.values() if _is_created(r) and me.same_as(r.identity)
    )
    return frozenset((*created, *(task_id for ids in listed for task_id in ids)))


def _is_created(record: Record) -> bool:
    """Whether one of the attempts for its key has created the task."""
    return record.task_id.partition("#")[0] in record.marks


@cache
def prompts_of(number: int, job: str) -> frozenset[str]:
    """The prompts by which the task of a job is recognized."""
    state = state_of(number)
    known: list[Record | RetiredTask] = [*state.records.values(), *state.retired.values()]
    found = [each.versions for each in known if job in map(job_of, each.marks)]
    found += [attempt.versions for mark, attempt in state.attempts.items() if job_of(mark) == job]
    return frozenset(text_of(inputs) or "" for versions in found for inputs in versions)


def without_newest_entry(number: int) -> int:
    """The state if the storage forgets an attempt that it has acknowledged."""
    return number_of(replace(state_of(number), attempts={}))


def resolve(number: int, declared: Declared, task: Task | None) -> int:
    """`taskctl state resolve KEY --task-id ID`, or `--not-created` (None)."""
    state, made = state_of(number), desired_of(declared)
    if task is None and not state.attempts_for(made.ref):
        return append(number, *edit.not_created(state, made.ref))
    if state.attempts_for(made.ref):
        return append(number, *edit.resolve(state, made.ref, task.id if task is not None else None))
    assert task is not None
    remote = RemoteTask(ORG, task.id, shown(task))
    return append(number, *edit.record_existing(state, made, remote, IDENTITIES[ME], at=NOW))
