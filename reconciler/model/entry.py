"""The relation of a generated task to its entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rollout:
    """How fast the tasks of an entry may be created. `at_once` None: no limit. `has_pilot`: some
    tasks are the entry's pilot, and the others wait for them."""

    has_pilot: bool = False
    at_once: int | None = None
    stop_after: int = 1


@dataclass(frozen=True, slots=True)
class Generated:
    """The entry's key, and the values and the period of this task. Records keep it.

    `values` are by axis (`region`) or field (`stack.name`), in the order of the axes.
    """

    entry: str
    values: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """The origin of a generated task, and its entry's rules for it.

    `template` are the entry's settings before expansion, in the form of a task's inputs. `row_file`
    and `row_line` locate the row of its first axis: None without `forEach`, and `row_file` None for
    a row in the manifest itself. `position` is its index among the tasks of the entry. `waits`:
    with `overlap: wait`, the tasks of earlier periods must finish first. The period lasts from
    `begins` until `ends`; with `catchUp`, `ends` is None, since its task may be created at any
    later time.
    """

    generated: Generated
    template: Mapping[str, object] = field(default_factory=dict)
    row_file: str | None = None
    row_line: int | None = None
    position: int = 0
    rollout: Rollout | None = None
    is_pilot: bool = False
    waits: bool = False
    begins: datetime | None = None
    ends: datetime | None = None
