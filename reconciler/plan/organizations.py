"""Keys that moved to another organization, as a manifest, a flag or the environment says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection

from reconciler.model.task import DesiredTask, TaskRef
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class LeftBehind:
    """Records and open attempts whose key no manifest has in that organization any more.

    `desired` are the keys that the manifests have, or that a record moves from.
    """

    def __init__(
        self, state: State, desired: Collection[TaskRef], in_scope: Callable[[str], bool]
    ) -> None:
        self._in_scope = in_scope
        self._by_key: dict[str, list[Record | Attempt]] = {}
        known: list[Record | Attempt] = [*state.records.values(), *state.attempts.values()]
        for one in known:
            if one.ref not in desired:
                self._by_key.setdefault(one.ref.key, []).append(one)

    def of(self, task: DesiredTask) -> Record | Attempt | None:
        """What the task's key had elsewhere: to create it again could start a second agent.

        An organization that its manifest names may be another one on purpose, so a record of a
        manifest that was not read does not count, and `adopt: false` says that it is a new task.
        """
        if task.org_from_manifest and not task.adopt:
            return None
        found = [
            known
            for known in self._by_key.get(task.key, ())
            if not task.org_from_manifest or known.file == task.file or self._in_scope(known.file)
        ]
        return min(found, key=lambda known: (known.ref, isinstance(known, Attempt)), default=None)
