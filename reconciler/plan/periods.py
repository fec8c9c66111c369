"""The periods of recurring entries: those that may be created now, and past periods. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from reconciler.model.remarks import remark
from reconciler.model.task import DesiredTask, Due, Generated, Recurring, TaskRef
from reconciler.model.value import replace
from reconciler.plan.plan import PlannedTask, Reason
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State

_DIGIT = re.compile(r"\d")


class Periods:
    """The periods of the entries that recur in the manifests."""

    def __init__(self, desired: Iterable[DesiredTask], due: Due) -> None:
        self._due = due
        self._by_org: dict[tuple[str, str], str] = {}
        for task in desired:
            if (made := task.generated) is not None:
                self._by_org[task.ref.org_name, made.entry] = due.get((task.file, made.entry), "")

    def is_generating(self, known: Record | Attempt) -> bool:
        """Whether the entry of a task still generates tasks."""
        made = known.generated
        return made is not None and (
            (known.ref.org_name, made.entry) in self._by_org
            or (known.file, made.entry) in self._due
        )

    def is_past(self, known: Record | Attempt) -> bool:
        """Whether its entry still recurs but no longer creates its period. Past tasks are neither
        read nor compared, and are not orphaned."""
        made = known.generated
        if made is None or made.period is None or not self._due:
            return False
        due = self._due.get((known.file, made.entry))
        if due is None:  # the entry may have moved to another file
            due = self._by_org.get((known.ref.org_name, made.entry))
        return due is not None and made.period != due


def followed(tasks: Iterable[Record | Attempt]) -> frozenset[TaskRef]:
    """The keys of the tasks whose entry has a task with the same values for a later period."""
    series: dict[tuple[str, str], dict[TaskRef, str]] = {}
    for task in tasks:
        if task.generated is not None and (period := task.generated.period) is not None:
            series.setdefault(_series(task.ref, task.generated), {})[task.ref] = period
    return frozenset(
        ref
        for periods in series.values()
        for ref, period in periods.items()
        if any(is_earlier(period, p) and not is_earlier(p, period) for p in periods.values())
    )


def is_earlier(name: str, than: str) -> bool:
    """Whether a period is before another. A period of another kind (the entry was monthly, and is
    now weekly) always counts as earlier."""
    return _DIGIT.sub("0", name) != _DIGIT.sub("0", than) or name < than


def periods_of(generated: Iterable[Generated | None]) -> dict[str, tuple[str, ...]]:
    """The periods of tasks, by the entry that generates them."""
    found: dict[str, set[str]] = {}
    for made in generated:
        if made is not None and made.period is not None:
            found.setdefault(made.entry, set()).add(made.period)
    return {entry: tuple(sorted(names)) for entry, names in sorted(found.items())}


def is_of_earlier_period(known: Record | Attempt, than: str | None) -> bool:
    """Whether both are periods, and that of the task is the earlier one."""
    made = known.generated
    if made is None or made.period is None or than is None:
        return False
    return is_earlier(made.period, than)


class Series:
    """Recorded and attempted tasks, grouped by the constant part of their keys across periods:
    entry and values."""

    def __init__(self, state: State) -> None:
        self._known: dict[object, list[Record | Attempt]] = {}
        all_known: list[Record | Attempt] = [*state.attempts.values(), *state.records.values()]
        for known in all_known:
            if known.generated is not None:
                self._known.setdefault(_series(known.ref, known.generated), []).append(known)

    def earlier(self, task: DesiredTask) -> Iterator[Record | Attempt]:
        """The tasks of earlier periods with the same values."""
        made = task.generated
        if made is None or made.period is None:
            return
        for other in self._known.get(_series(task.ref, made), ()):
            if is_of_earlier_period(other, made.period):
                yield other


def after_gaps(
    tasks: Iterable[PlannedTask], state: State, recurring: Mapping[TaskRef, Recurring]
) -> dict[TaskRef, PlannedTask]:
    """The creates that follow skipped periods, with a remark. A series without any task, now or
    before, has skipped none."""
    found: dict[TaskRef, PlannedTask] = {}
    known: dict[tuple[str, str], set[str]] | None = None
    for task in tasks:
        made = task.generated
        if task.reason is not Reason.NEW or made is None or made.period is None:
            continue
        entry = recurring.get(TaskRef(task.ref.org_name, made.entry), Recurring())
        if known is None:
            known = _known_periods(state)
        kind = _DIGIT.sub("0", entry.previous)
        names = known.get(_series(task.ref, made), ())
        last = max((name for name in names if _DIGIT.sub("0", name) == kind), default="")
        if last and last < entry.previous and entry.includes(entry.previous):
            found[task.ref] = replace(task, remarks=(remark("period.gap", last=last),))
    return found


def _known_periods(state: State) -> dict[tuple[str, str], set[str]]:
    """The periods for which each series has or had a task, or may have one."""
    attempted = (attempt.ref for attempt in state.attempts.values())
    removed = (task.ref for task in state.retired.values())
    known: dict[tuple[str, str], set[str]] = {}
    for ref in (*state.records, *attempted, *removed):
        row, _, period = ref.key.rpartition("@")
        known.setdefault((ref.org_name, row), set()).add(period)
    return known


def _series(ref: TaskRef, made: Generated) -> tuple[str, str]:
    return ref.org_name, ref.key.removesuffix(f"@{made.period}")
