"""The recorded tasks by their names, to determine who may answer each task."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconciler.model.task import TaskRef
from reconciler.model.value import replace

if TYPE_CHECKING:
    from reconciler.state.model import Record, State


class KnownState:
    """The state that was read last. `replaced` are the tasks that this run has replaced or removed,
    by ID: the state no longer has their creators."""

    def __init__(
        self, state: State | None = None, replaced: Mapping[str, Record] = MappingProxyType({})
    ) -> None:
        self._state, self._replaced = state, replaced
        self._by_name: dict[str, list[Record]] = {}

    def followed_by(self, state: State) -> KnownState:
        """The known state after an apply that ended with this state."""
        if self._state is None:
            return KnownState(state)
        current = {record.task_id for record in state.records.values()}
        old = (r for r in self._state.records.values() if r.task_id not in current)
        replaced = {r.task_id: replace(r, ref=TaskRef(r.ref.org_name, r.task_id)) for r in old}
        return KnownState(state, {**self._replaced, **replaced})

    def named(self, name: str) -> list[Record]:
        """The records of a `KEY`, `ORG/KEY` or ID; also the ID of a task that was replaced, or
        whose key was removed, since its agent may still be running."""
        state = self._state
        if state is None:
            return []
        if not self._by_name:
            for record in state.records.values():
                for own in (str(record.ref), record.ref.key, record.task_id):
                    self._by_name.setdefault(own, []).append(record)
        if name in self._by_name:
            return self._by_name[name]
        replaced = self._replaced.get(name.rpartition("/")[2])
        return self._of_former(state, name) if replaced is None else [replaced]

    def selected(self, selector: str) -> list[Record]:
        """Those of `named`; otherwise, the records that a glob or an entry selects."""
        from reconciler.plan.keys import matches_key
        from reconciler.plan.selection import pattern_of

        found = self.named(selector)
        if found or self._state is None:
            return found
        pattern = pattern_of(selector, self._state.records.keys())
        return [r for ref, r in self._state.records.items() if matches_key(pattern, [ref])]

    @staticmethod
    def _of_former(state: State, task_id: str) -> list[Record]:
        from reconciler.app.named_tasks import with_named_ids

        known = with_named_ids(state, (task_id,)).records
        return [record for ref, record in known.items() if ref not in state.records]
