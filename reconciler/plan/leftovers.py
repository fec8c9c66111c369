"""What is recorded, or was attempted, for keys that no manifest has any more. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from reconciler.model.task import DesiredTask, Removal, TaskRef, work_of
from reconciler.plan import decisions
from reconciler.plan.periods import Periods
from reconciler.plan.plan import PlannedTask
from reconciler.plan.recovery import NotCreated, Verdict
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class Leftovers:
    """`heirs` has, by former key, the keys that tasks are moved to. `orphans` are the records in
    scope, without those of past periods, which `past` are, and those that a manifest wants taken
    out, which `removed` are."""

    def __init__(
        self,
        state: State,
        desired: Mapping[TaskRef, DesiredTask],
        heirs: Mapping[TaskRef, TaskRef],
        periods: Periods,
        removed: Sequence[Removal],
        in_scope: Callable[[str], bool],
    ) -> None:
        self._state, self._heirs, self._periods = state, heirs, periods
        self._desired, self._removed, self._in_scope = desired, removed, in_scope
        left = [
            record
            for ref, record in sorted(state.records.items())
            if ref not in desired and not self._is_moving(ref) and in_scope(record.file)
        ]
        found = ((record, self._removal_of(record)) for record in left)
        self.removed = {r.ref: (r, removal) for r, removal in found if removal is not None}
        kept = [record for record in left if record.ref not in self.removed]
        self.past = [record for record in kept if periods.is_past(record)]
        self.orphans = [r for r in kept if not periods.is_past(r)] if self.past else kept

    def _removal_of(self, record: Record) -> Removal | None:
        return next((r for r in self._removed if r.matches(*record.ref)), None)

    def planned(self, *, with_past: bool, cancel: bool) -> Iterator[PlannedTask]:
        """What a plan says of the records. `cancel`: removed ones are to be cancelled."""
        for record, removal in self.removed.values():
            yield decisions.forget(record, removal, cancel=cancel)
        for record in self.orphans:
            yield decisions.orphaned(record, is_row=self._periods.is_still_there(record))
        for record in self.past if with_past else ():
            yield decisions.past(record)

    def strays(self) -> list[Attempt]:
        """Attempts whose key left the manifests."""
        return [
            attempt
            for _, attempt in sorted(self._state.attempts.items())
            if self._heirs.get(attempt.ref, attempt.ref) not in self._desired
        ]

    def work(self, verdicts: Mapping[str, Verdict]) -> dict[tuple[str, str], TaskRef]:
        """The work of tasks that exist or may exist for a key which no manifest has any more. Past
        periods do not count: the next period may well have the same prompt."""
        left: list[Attempt | Record] = [
            attempt
            for attempt in self.strays()
            if not isinstance(verdicts[attempt.mark], NotCreated) and self._in_scope(attempt.file)
        ]
        return dict(
            self._work_of(k for k in [*left, *self.orphans] if not self._periods.is_past(k))
        )

    def _work_of(
        self, left: Iterable[Attempt | Record]
    ) -> Iterator[tuple[tuple[str, str], TaskRef]]:
        for known in left:
            work = work_of(known.inputs)
            if work is not None:
                yield (known.ref.org_name, work), known.ref

    def _is_moving(self, ref: TaskRef) -> bool:
        heir = self._heirs.get(ref)
        return heir is not None and heir not in self._state.records
