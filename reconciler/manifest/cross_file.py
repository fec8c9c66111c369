"""Checks across files: keys, task IDs and prompts that two tasks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconciler.manifest.finding import Finding, warning_finding
from reconciler.model.canonical import canonical_json
from reconciler.model.codes import Code
from reconciler.model.glob import first_match
from reconciler.model.task import DesiredTask, Removal, entities_of, text_of
from reconciler.model.work import comparable_text, is_same_work

if TYPE_CHECKING:
    from reconciler.manifest.declared_entry import DeclaredEntry

Found = tuple[DesiredTask, Finding]
"""A finding and its task."""

_Ref = tuple[str | None, str]


def compare(
    tasks: Sequence[DesiredTask],
    unusable: Sequence[DesiredTask] = (),
    removed: Sequence[Removal] = (),
    entries: Sequence[DeclaredEntry] = (),
) -> list[Found]:
    """The problems of several tasks together: keys, task IDs and former keys that two tasks have,
    keys that are also listed under `removed`, invalid `after`, and duplicate prompts. These are
    errors, except for duplicate prompts of tasks that differ otherwise, which are warnings.

    The errors of `unusable` tasks were already reported, so only their keys count.
    """
    everything = list(tasks)
    if unusable:
        everything = sorted([*tasks, *unusable], key=lambda task: (task.file, task.line))
    by_ref: dict[_Ref, DesiredTask] = {}
    wrong: list[Found] = []
    for task in everything:
        first = by_ref.setdefault((task.org_name, task.key), task)
        if first is not task:
            path = ("tasks", task.key)
            wrong.append((task, Finding(Code.DUPLICATE_TASK, path, "", _place(first), on_key=True)))
    wrong += _same_entries(everything)
    wrong += _removals(everything, removed)
    wrong += _moves(everything, by_ref)
    wrong += _same_ids(tasks)
    wrong += _same_work(tasks)
    if any(task.after for task in tasks):
        from reconciler.manifest.order import check_order

        wrong += check_order(tasks, everything, entries)
    return wrong


def _same_entries(tasks: Iterable[DesiredTask]) -> Iterator[Found]:
    """Errors for an entry that two files declare for one organization: a rollout would count the
    tasks of each file separately, but `after` would wait for those of both."""
    first: dict[_Ref, DesiredTask] = {}
    files: dict[_Ref, set[str]] = {}
    for task in tasks:
        if task.origin is None:
            continue
        ref = (task.org_name, task.declared_key)
        known = first.setdefault(ref, task)
        if task.file not in files.setdefault(ref, {known.file}):
            files[ref].add(task.file)
            facts = {"entry": task.declared_key, **_place(known)}
            path = ("tasks", task.key)
            yield task, Finding(Code.DUPLICATE_TASK, path, "entry", facts, on_key=True)


def _removals(tasks: Iterable[DesiredTask], removed: Sequence[Removal]) -> Iterator[Found]:
    exact = {(removal.org_name, removal.pattern): removal for removal in removed}
    globs: dict[str | None, list[str]] = {}
    for removal in removed:
        if not removal.is_key:
            globs.setdefault(removal.org_name, []).append(removal.pattern)
    for task in tasks if removed else ():
        matching = first_match(globs.get(task.org_name, ()), task.key)
        name = task.key if (task.org_name, task.key) in exact else matching
        if name is not None:
            removal = exact[task.org_name, name]
            path, facts = ("tasks", task.key), {"file": removal.file, "pattern": removal.pattern}
            yield task, Finding(Code.REMOVED_TASK, path, "", facts, on_key=True)


def _moves(tasks: Iterable[DesiredTask], by_ref: dict[_Ref, DesiredTask]) -> Iterator[Found]:
    claimed: dict[_Ref, DesiredTask] = {}
    for task in tasks:
        if task.moved_from is None or task.moved_from == task.key:
            continue
        path = ("tasks", task.key, "movedFrom")
        former = (task.org_name, task.moved_from)
        other = by_ref.get(former)
        if other is not None:
            facts = {"former": task.moved_from, **_place(other)}
            yield task, Finding(Code.INVALID_MOVE, path, "declared", facts)
        first = claimed.setdefault(former, task)
        if first is not task:
            facts = {"former": task.moved_from, "other": first.key, **_place(first)}
            yield task, Finding(Code.INVALID_MOVE, path, "twice", facts)


def _same_ids(tasks: Iterable[DesiredTask]) -> Iterator[Found]:
    claimed: dict[str, DesiredTask] = {}
    for task in tasks:
        if task.task_id is None:
            continue
        first = claimed.setdefault(task.task_id, task)
        if first is not task:
            path, facts = ("tasks", task.key, "taskID"), {"other": first.key, **_place(first)}
            yield task, Finding(Code.DUPLICATE_TASK_ID, path, "", facts)


def _same_work(tasks: Iterable[DesiredTask]) -> Iterator[Found]:
    """Errors for tasks without an ID whose inputs equal those of another such task, and warnings
    for other tasks with the same prompt and entities."""
    alike: dict[int, list[DesiredTask]] = {}
    for task in tasks:
        text = text_of(task.inputs)
        if text is not None:
            alike.setdefault(hash((task.org_name, comparable_text(text))), []).append(task)
    for group in (tasks for tasks in alike.values() if len(tasks) > 1):
        by_inputs: dict[object, DesiredTask] = {}
        by_entities: dict[object, DesiredTask] = {}
        for task in group:
            path = ("tasks", task.key)
            inputs = (task.org_name, canonical_json(task.inputs))
            equal = by_inputs.setdefault(inputs, task) if task.task_id is None else task
            if equal.key != task.key:
                facts = {"other": equal.key, **_place(equal)}
                yield task, Finding(Code.DUPLICATE_WORK, path, "equal", facts, on_key=True)
                continue
            entities = sorted(canonical_json(entity) for entity in entities_of(task.inputs))
            first = by_entities.setdefault((task.org_name, *entities), task)
            is_same = is_same_work(task.inputs, first.inputs)
            if is_same and first.key != task.key:
                facts = {"other": first.key, **_place(first)}
                yield task, warning_finding(Code.DUPLICATE_WORK, path, "", facts, on_key=True)


def _place(task: DesiredTask) -> dict[str, str]:
    return {"place": f"{task.file}:{task.line}"}
