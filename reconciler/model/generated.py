"""Generated tasks: where one comes from, and how fast an entry's tasks may be created."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.value import Moment, Stored, field

Due = Mapping[tuple[str, str], frozenset[str]]
"""The names of the periods that may be created, by manifest file and key of the entry."""

Upcoming = Mapping[tuple[str | None, str], frozenset[str]]
"""The names of the next periods, which are not due yet, by organization and key of the entry."""


class Rollout(Stored, frozen=True):
    """How fast the tasks of an entry may be created. At most `at_once` run concurrently (None: no
    limit). `has_pilot`: some tasks are the pilot, and the others wait for them."""

    has_pilot: bool = False
    at_once: int | None = None
    stop_after: int = 1


class Generated(Stored, frozen=True):
    """The entry that a task was generated from, and the task's values, in the order of the axes.
    Records keep all of this."""

    entry: str
    values: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None


class TaskOrigin(Stored, frozen=True):
    """The origin of a generated task, and its entry's rules for it.

    - `template`: the entry's settings before expansion, in the form of a task's inputs.
    - `row_file` and `row_line`: the place of the row of its first axis. Both are None without
      `forEach`; `row_file` is None for a row in the manifest itself.
    - `position`: its index among the tasks of the entry.
    - `waits`: with `overlap: wait`, the tasks of earlier periods must finish first.
    - `begins` and `ends`: the limits of its period. With `catchUp`, `ends` is None, since the task
      may be created at any later time.
    """

    generated: Generated
    template: Mapping[str, object] = field(default_factory=dict)
    row_file: str | None = None
    row_line: int | None = None
    position: int = 0
    rollout: Rollout | None = None
    is_pilot: bool = False
    waits: bool = False
    begins: Moment | None = None
    ends: Moment | None = None
