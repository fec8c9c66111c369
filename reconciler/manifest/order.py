"""Checks what `after` names: tasks and entries of the same organization, without cycles."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from reconciler.manifest.finding import Facts, Finding
from reconciler.model.codes import Code
from reconciler.model.task import DesiredTask

_Node = tuple[str, str | None, str]
"""A task, an entry (all its tasks), or an entry's pilot: its kind, organization and key."""

_MAX_NAMES = 20
"""The maximum number of tasks of a cycle that an error names."""

_DIGIT = re.compile(r"\d")


def check_order(
    tasks: Sequence[DesiredTask], known: Iterable[DesiredTask], entries: Collection[str]
) -> Iterator[tuple[DesiredTask, Finding]]:
    """The errors in `after` of `tasks`. `known` also has the tasks with errors of their own;
    `entries` are the keys of all entries, even of those without tasks."""
    by_key: dict[tuple[str | None, str], list[DesiredTask]] = {}
    organizations: dict[str, set[str | None]] = {}
    for task in known:
        for name in {task.key, task.declared_key}:
            by_key.setdefault((task.org_name, name), []).append(task)
            organizations.setdefault(name, set()).add(task.org_name)
    before = len(tasks)
    for task in tasks:
        for index, name in enumerate(task.after):
            listed = by_key.get((task.org_name, name), ())
            case = _wrong(task, name, listed, organizations.get(name, ()), entries)
            if case is not None:
                before = 0
                path = ("tasks", task.key, "after", index)
                yield task, Finding(Code.INVALID_AFTER, path, case, {"name": name})
    if before:
        yield from _cycles(tasks)


def _wrong(
    task: DesiredTask,
    name: str,
    listed: Sequence[DesiredTask],
    organizations: Collection[str | None],
    entries: Collection[str],
) -> str | None:
    """The case of the error of a name, None if it is right. `listed` are the tasks that it
    names."""
    if task.task_id is not None:
        return "taskID"
    if any(other.key == task.key for other in listed):
        return "self"
    if not listed:
        past = name.partition("@")[0] in entries and "@" in name
        if name in entries or past:
            return None
        return "organization" if organizations else ""
    periods = {other.generated.period for other in listed if other.generated is not None}
    if listed[0].key == name or periods <= {None}:
        return None
    own = task.generated.period if task.generated is not None else None
    kinds = {_DIGIT.sub("0", period) for period in periods if period is not None}
    return None if own is not None and kinds == {_DIGIT.sub("0", own)} else "period"


def _cycles(tasks: Sequence[DesiredTask]) -> Iterator[tuple[DesiredTask, Finding]]:
    """An error for a cycle, at each of its tasks that has an `after`. Each later task of a rollout
    waits for the pilot."""
    edges: dict[_Node, list[_Node]] = {}
    by_node: dict[_Node, DesiredTask] = {}
    for task in tasks:
        node: _Node = ("task", task.org_name, task.key)
        by_node[node] = task
        edges.setdefault(node, []).extend(("entry", task.org_name, name) for name in task.after)
        edges.setdefault(("entry", task.org_name, task.key), []).append(node)
        if task.origin is None:
            continue
        entry, period = task.declared_key, task.origin.generated.period or ""
        edges.setdefault(("entry", task.org_name, entry), []).append(node)
        if task.origin.rollout is not None:
            pilot: _Node = ("pilot", task.org_name, f"{entry}@{period}")
            ends = (pilot, node) if task.origin.is_pilot else (node, pilot)
            edges.setdefault(ends[0], []).append(ends[1])
    cycle = _cycle(edges)
    members = [by_node[node] for node in cycle if node in by_node]
    names = tuple(task.key for task in members)
    if len(names) > _MAX_NAMES:
        names = (*names[:_MAX_NAMES], "...")
    waiting = [task for task in members if task.after]
    for task in members:
        if task.after:
            other = next((each for each in waiting if each is not task), task)
            place = f"{other.file}:{other.line}"
            facts: Facts = {"names": names, "place": place}
            yield task, Finding(Code.INVALID_AFTER, ("tasks", task.key, "after"), "cycle", facts)


def _cycle(edges: Mapping[_Node, Sequence[_Node]]) -> list[_Node]:
    """The nodes of one cycle, in order; empty if there is none."""
    finished: set[_Node] = set()
    for start in edges:
        path: dict[_Node, None] = {}
        waiting: list[tuple[_Node, bool]] = [(start, False)]
        while waiting:
            node, left = waiting.pop()
            if left:
                path.pop(node, None)
                finished.add(node)
            elif node in path:
                found = list(path)
                return found[found.index(node) :]
            elif node not in finished:
                path[node] = None
                waiting.append((node, True))
                waiting += [(other, False) for other in edges.get(node, ())]
    return []
