"""A manifest's data with the tasks that its entries generate.

What is found in a generated task is told of its entry, and names the row that it comes from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.manifest.finding import Finding
from reconciler.manifest.parse.spans import Position
from reconciler.model.entry import TaskOrigin

if TYPE_CHECKING:
    from reconciler.manifest.expand.entries import Expansion
    from reconciler.manifest.expand.periods import Recurrence


def is_entry(task: object) -> bool:
    """Whether a task of a manifest generates tasks instead of being one."""
    return isinstance(task, dict) and ("forEach" in task or "every" in task)


def has_entries(data: object) -> bool:
    """Whether a document generates tasks; it may break the schema."""
    tasks = data.get("tasks") if isinstance(data, dict) else None
    return isinstance(tasks, dict) and any(map(is_entry, tasks.values()))


class Document:
    """A manifest's data with its generated tasks, and the positions of their keys.

    `due` names, for each entry that recurs, the periods that may be created now.
    """

    def __init__(self, data: Any, keys: Mapping[str, Position]) -> None:
        self.data = data
        self.keys = keys
        self.expansions: dict[str, Expansion] = {}
        self.origins: dict[str, TaskOrigin] = {}
        self.findings: list[Finding] = []

    @property
    def due(self) -> dict[str, frozenset[str]]:
        found = ((name, made) for name, made in self.expansions.items() if made.recurrence)
        return {name: frozenset(period.name for period in made.due) for name, made in found}

    @property
    def recurrences(self) -> Iterator[Recurrence]:
        return (made.recurrence for made in self.expansions.values() if made.recurrence)

    def release(self) -> None:
        """Forgets what has become tasks."""
        self.data = None
        for made in self.expansions.values():
            made.tasks, made.values, made.template, made.vocabulary = {}, {}, {}, None

    def declared(self, key: str) -> str:
        """The key in the manifest of a task."""
        origin = self.origins.get(key)
        return key if origin is None else origin.generated.entry


def of_entries(findings: Iterable[Finding], origins: Mapping[str, TaskOrigin]) -> list[Finding]:
    """Findings, those in generated tasks as ones of their entry: once for each row, or once if all
    tasks of the entry have it."""
    if not origins:
        return list(findings)
    kept: dict[object, list[Finding]] = {}
    sizes = Counter(origin.generated.entry for origin in origins.values())
    for found in findings:
        moved = of_entry(found, origins.get(str(found.path[1])) if _is_in_task(found) else None)
        if moved is found:
            kept[id(found)] = [found]
            continue
        told = moved.diagnostic
        facts = tuple(sorted(told.args.items()))
        alike = (told.code, told.severity, told.case, facts, moved.path)
        kept.setdefault(alike, []).append(moved)
    return [found for alike in kept.values() for found in _told(alike, sizes)]


def _told(alike: list[Finding], sizes: Mapping[str, int]) -> Iterable[Finding]:
    first = alike[0]
    if len(alike) >= sizes.get(str(first.path[1]) if _is_in_task(first) else "", 1):
        return alike[:1]
    rows: dict[object, Finding] = {}
    for found in alike:
        rows.setdefault(found.diagnostic.at.row, found)
    return rows.values()


def _is_in_task(found: Finding) -> bool:
    return len(found.path) > 1 and found.path[0] == "tasks"


def of_entry(found: Finding, origin: TaskOrigin | None) -> Finding:
    """A finding in a generated task, at the same place of its entry, with the row."""
    if origin is None:
        return found
    name = origin.generated.entry
    shown = found.diagnostic.at.path
    shown = ("tasks", name, *shown[2:]) if shown[:1] == ("tasks",) else shown
    path = ("tasks", name, *found.path[2:]) if _is_in_task(found) else found.path
    told = replace(found.diagnostic, at=replace(found.diagnostic.at, path=shown))
    moved = found._replace(path=path, diagnostic=told)
    if origin.row_line is None or told.at.row is not None:
        return moved
    return moved.at_row(origin.row_file, origin.row_line)
