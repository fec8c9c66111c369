"""Generated tasks: where one comes from, and how fast an entry's tasks may be created."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.expectation import Expectation
from reconciler.model.value import Moment, Stored, Value, field

Due = Mapping[tuple[str, str], str]
"""The name of the period that may be created (empty: none), by manifest file and key of the
entry."""


class Recurring(Value, frozen=True):
    """An entry that recurs: the names of its next periods, which are not due yet, and of the first
    and the last one that `from` and `until` allow (empty: no limit; names sort by date). `expect`
    is what its tasks must deliver."""

    upcoming: frozenset[str] = frozenset()
    first: str = ""
    last: str = ""
    expect: Expectation | None = None

    def includes(self, period: str) -> bool:
        return self.first <= period and (not self.last or period <= self.last)


class Rollout(Stored, frozen=True):
    """How fast the tasks of an entry may be created.

    - `pilot`: all others wait until that many tasks are done; 0: no number.
    - `picks_pilot`: all others wait until each task with `is_pilot` is done.
    - `at_once`: the maximum number of unfinished tasks; None: no limit.
    - `stop_after`: the number of failed tasks after which no task is created.
    """

    pilot: int = 0
    picks_pilot: bool = False
    at_once: int | None = None
    stop_after: int = 1

    @property
    def has_pilot(self) -> bool:
        return self.picks_pilot or self.pilot > 0


class Generated(Stored, frozen=True):
    """The entry that a task was generated from, and the task's values, in the order of the axes.
    Records keep all of this."""

    entry: str
    values: Mapping[str, str] = field(default_factory=dict)
    period: str | None = None


class TaskOrigin(Stored, frozen=True):
    """The origin of a generated task, and its entry's rules for it.

    - `key`: what its key adds to its entry's, as a template: `@{{ repo.name }}`.
    - `template`: the entry's settings before expansion, in the form of a task's inputs.
    - `row_file` and `row_line`: the place of the row of its first axis. Both are None without
      `forEach`; `row_file` is None for a row in the manifest itself.
    - `position`: its index among the tasks of the entry.
    - `is_pilot`: a matcher of `pilot` matches it.
    - `waits`: with `overlap: wait`, the tasks of earlier periods must finish first.
    - `begins` and `ends`: the limits of its period; both are None without one.
    """

    generated: Generated
    key: str = ""
    template: Mapping[str, object] = field(default_factory=dict)
    row_file: str | None = None
    row_line: int | None = None
    position: int = 0
    rollout: Rollout | None = None
    is_pilot: bool = False
    waits: bool = False
    begins: Moment | None = None
    ends: Moment | None = None
