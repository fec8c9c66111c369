"""The state as it was read last, by the names of its tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.value import replace

if TYPE_CHECKING:
    from reconciler.state.model import Record, State

_NOTHING: dict[str, Any] = {}


class KnownState:
    """It tells who may answer a task, also after the task was replaced."""

    def __init__(self, state: State | None = None) -> None:
        self._state = state
        self._by_name: dict[str, list[Record]] = {}

    def with_creators_only(self) -> KnownState:
        """In less memory, while an apply replaces its tasks."""
        if self._state is None:
            return self
        bare = {"inputs": _NOTHING, "outputs": _NOTHING, "marks": (), "history": ()}
        records = {ref: replace(record, **bare) for ref, record in self._state.records.items()}
        return KnownState(replace(self._state, records=records))

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
        return self._by_name.get(name) or self._of_former(state, name)

    @staticmethod
    def _of_former(state: State, task_id: str) -> list[Record]:
        from reconciler.app.named_tasks import with_named_ids

        known = with_named_ids(state, (task_id,)).records
        return [record for ref, record in known.items() if ref not in state.records]
