"""Checks `after`: it may refer to tasks and entries of the same organization, without cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from reconciler.manifest.finding import Facts, Finding
from reconciler.manifest.schema_findings import similar
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.similarity import SimilaritySearches
from reconciler.model.task import DesiredTask

if TYPE_CHECKING:
    from reconciler.manifest.declared_entry import DeclaredEntry

_Node = tuple[str, str | None, str]
"""A task, an entry (all its tasks), or an entry's pilot: its kind, organization and key. A pilot
can be in several organizations, so it has its file instead."""

_MAX_NAMES = 20
"""The maximum number of tasks of a cycle that an error lists."""


def check_order(
    tasks: Sequence[DesiredTask], known: Iterable[DesiredTask], entries: Iterable[DeclaredEntry]
) -> Iterator[tuple[DesiredTask, Finding]]:
    """The errors in `after` of these tasks. `known` are all tasks that `after` may name, including
    those with other errors."""
    names = _Names(known, entries)
    is_right = True
    for task in tasks:
        problems = ((i, names.problem(task, name)) for i, name in enumerate(task.after))
        wrong = ((index, problem) for index, problem in problems if problem is not None)
        for index, (case, near) in islice(wrong, limits.TASK_FINDINGS):
            is_right = False
            facts: Facts = {"name": task.after[index], **({"near": near} if near else {})}
            path = ("tasks", task.key, "after", index)
            yield task, Finding(Code.INVALID_AFTER, path, case, facts)
    if is_right:
        yield from _cycles(tasks)


class _Names:
    """The names that `after` may have: keys, entries, and generated keys, in each organization."""

    def __init__(self, known: Iterable[DesiredTask], entries: Iterable[DeclaredEntry]) -> None:
        self._keys: dict[str | None, dict[str, DesiredTask]] = {}
        self._organizations: dict[str, set[str | None]] = {}
        for task in known:
            self._keys.setdefault(task.org_name, {})[task.key] = task
            self._organizations.setdefault(task.key, set()).add(task.org_name)
        self._searches = SimilaritySearches()
        self._entries: dict[str, list[DeclaredEntry]] = {}
        for entry in entries:
            self._entries.setdefault(entry.name, []).append(entry)

    def problem(self, task: DesiredTask, name: str) -> tuple[str, str | None] | None:
        """The case of the error in a name, and the similar name, if any; None for a valid name."""
        if task.task_id is not None:
            return "taskID", None
        if name in (task.key, task.declared_key):
            return "self", None
        if name in self._keys.get(task.org_name, ()):
            return None
        key, sign, _ = name.partition("@")
        own = [e for e in self._entries.get(key, ()) if e.rows.get(task.org_name)]
        if own and not sign:
            return None if all(_same_period(task, entry) for entry in own) else ("period", None)
        if own:
            if any(entry.can_generate(task.org_name, name) for entry in own):
                return None
            near = own[0].nearest(task.org_name, name, self._searches)
            return "generated-similar" if near else "generated", near
        if not sign and name in self._entries and not any(e.rows for e in self._entries[name]):
            return None  # the entry has no rows
        if key in self._entries or name in self._organizations:
            elsewhere = {org for entry in self._entries.get(key, ()) for org in entry.rows}
            elsewhere |= self._organizations.get(name, set())
            # The default organization, once it is known, may equal a manifest's organization.
            return None if None in (task.org_name, *elsewhere) else ("organization", None)
        known = (*self._keys.get(task.org_name, ()), *self._entries)
        near = similar(name, known) if self._searches.may_compare(name, known) else None
        return "similar" if near else "", near


def _same_period(task: DesiredTask, entry: DeclaredEntry) -> bool:
    """Whether a task may refer to an entry: it recurs with the same periods, or the entry does not
    recur."""
    period = task.generated.period if task.generated is not None else None
    if entry.recurrence is None:
        return True
    return period is not None and entry.recurrence.unit.named(period) is not None


def _cycles(tasks: Sequence[DesiredTask]) -> Iterator[tuple[DesiredTask, Finding]]:
    """An error for a cycle, at each of its tasks that has an `after`. Rows outside a pilot wait for
    the rows that its matchers select; a pilot that is a number of rows adds no edge."""
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
        if task.origin.rollout is not None and task.origin.rollout.picks_pilot:
            pilot: _Node = ("pilot", task.file, f"{entry}@{period}")
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
