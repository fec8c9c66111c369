"""Tokens used by tasks, totaled by manifest and by day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from reconciler.model.task import TaskRef, instant
from reconciler.state.model import Record
from reconciler.tasks.status import MOST, TaskStatus


@dataclass(frozen=True, slots=True)
class Sum:
    """`name` is a file, or a day such as `2026-11-24` (UTC); empty if unknown."""

    name: str
    tasks: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Totals:
    """`by_file` starts with the largest, `by_day` with the earliest. `untold` counts the tasks
    whose usage is unknown."""

    by_file: tuple[Sum, ...]
    by_day: tuple[Sum, ...]
    tasks: int
    tokens: int
    untold: int


def totals(
    statuses: Iterable[TaskStatus],
    records: Mapping[TaskRef, Record],
    former: Iterable[tuple[str, Mapping[str, Any]]] = (),
) -> Totals:
    """Totals of the tasks as the service shows them, else as they were last read. `former` are the
    tasks that keys had before: the manifest, and the service's outputs (empty if not shown)."""
    files: dict[str, list[int]] = {}
    days: dict[str, list[int]] = {}
    untold = 0
    rows: list[tuple[str, Mapping[str, Any], Record | None]] = []
    for status in statuses:
        record = records.get(status.ref)
        outputs = status.raw or (record.outputs if record is not None else {})
        rows.append((status.file, outputs, record))
    for file, outputs, record in [*rows, *((file, shown, None) for file, shown in former)]:
        tokens = _tokens(outputs)
        untold += tokens is None
        files.setdefault(file, []).append(tokens or 0)
        days.setdefault(_day(outputs, record), []).append(tokens or 0)
    by_file = sorted(_sums(files), key=lambda one: (-one.tokens, one.name))
    by_day = sorted(_sums(days), key=lambda one: one.name)
    return Totals(
        by_file=tuple(by_file),
        by_day=tuple(by_day),
        tasks=sum(one.tasks for one in by_file),
        tokens=sum(one.tokens for one in by_file),
        untold=untold,
    )


def _sums(groups: Mapping[str, list[int]]) -> list[Sum]:
    return [Sum(name, len(tokens), sum(tokens)) for name, tokens in groups.items()]


def _tokens(outputs: Mapping[str, Any]) -> int | None:
    value = outputs.get("tokensUsed")
    return value if type(value) is int and 0 <= value <= MOST else None


def _day(outputs: Mapping[str, Any], record: Record | None) -> str:
    created = instant(outputs.get("createdAt")) or (record.created_at if record else None)
    return f"{created.astimezone(UTC):%Y-%m-%d}" if created is not None else ""
