"""What a generated task knows of the entry that it comes from. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Rollout:
    """How fast the tasks of an entry may be created. `at_once` None: without such a limit.
    `has_pilot`: some tasks of the entry are its pilot, and the others wait for them."""

    has_pilot: bool = False
    at_once: int | None = None
    stop_after: int = 1


@dataclass(frozen=True, slots=True)
class Generated:
    """The entry's key, and the values and the period that make this task. Records keep it.

    `values` are by axis (`region`) or by field (`stack.name`), in the order of the axes.
    """

    entry: str
    values: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """Where a generated task comes from, and what its entry says about it.

    `template` are the settings of the entry as they are written, in the form of a task's inputs.
    `row_file` and `row_line` are those of the row of its first axis: None without `forEach`, and
    `row_file` None for a row in the manifest itself. `position` is its place among the tasks of its
    entry. `waits`: with `overlap: wait`, an earlier period's task has to be over first. The period
    lasts from `begins` until `ends`; with `catchUp`, `ends` is None, since its task may be created
    at any later time.
    """

    generated: Generated
    template: Mapping[str, Any] = field(default_factory=dict)
    row_file: str | None = None
    row_line: int | None = None
    position: int = 0
    rollout: Rollout | None = None
    is_pilot: bool = False
    waits: bool = False
    begins: datetime | None = None
    ends: datetime | None = None
