"""What a generated task knows of the entry that it comes from. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rollout:
    """How fast the tasks of an entry may be created. `at_once` None: without such a limit.
    `has_pilot`: some tasks of the entry are its pilot, and the others wait for them."""

    has_pilot: bool = False
    at_once: int | None = None
    stop_after: int = 1


@dataclass(frozen=True, slots=True)
class Generated:
    """The entry's key, the values and the period that make this task, and the row it comes from.

    `values` are by axis (`region`) or by field (`stack.name`), in the order of the axes. `row_file`
    and `row_line` are those of the first axis that is written as data; None without `forEach`.
    `waits`: with `overlap: wait`, an earlier period's task has to be over first.
    """

    entry: str
    values: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None
    row_file: str | None = None
    row_line: int | None = None
    rollout: Rollout | None = None
    is_pilot: bool = False
    waits: bool = False
