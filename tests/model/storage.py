"""Where a state is kept: a saved file, and a journal with what was written since."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from tests.model.values import State

HEADER = ("ids", "began", "counter", "is_new", "answered", "explained", "is_kept")


class Storage:
    """`state` is the saved file with its journal; None if there is neither. `older`: the versions
    that were saved."""

    def __init__(self) -> None:
        self.saved: State | None = None
        self.state: State | None = None
        self.older: list[State] = []

    def begin(self, state: State) -> None:
        self.saved = self.state = state

    def write(self, state: State) -> None:
        self.state = state

    def save(self) -> None:
        if self.state is not None and self.saved != self.state:
            self.older.append(self.state)
            self.saved = self.state

    def lose(self) -> None:
        self.saved = self.state = None

    def lose_file(self, *, keeps_baselines: bool = False) -> None:
        """Without its file, a state continues from its journal: the header, and the changes. Its
        baselines count on records that only the file had."""
        if self.state is None or self.saved is None:
            return
        empty = State(self.state.ids, self.state.began)
        header = {name: getattr(self.state, name) for name in HEADER}
        self.saved = self.state = replace(empty, **header, **_changes(self.saved, self.state))
        if not keeps_baselines:
            self.saved = self.state = replace(self.state, baselines={})

    def restore(self, version: State, *, with_journal: bool) -> None:
        """An older version replaces the file. A journal of another version has only attempts."""
        state = version
        if with_journal and self.state is not None:
            now = self.state
            settled = {ref for r in version.records.values() for ref in (*r.spent, r.ref)}
            settled |= {ref for each in version.former.values() for ref in each.refs}
            opened = {
                number: attempt
                for number, attempt in now.attempts.items()
                if attempt.ref not in settled and attempt.ref not in version.closed
            }
            counter = max(version.counter, *now.attempts, 0)
            state = replace(version, attempts={**version.attempts, **opened}, counter=counter)
        self.saved = self.state = state


def _changes(before: State, after: State) -> dict[str, Any]:
    """What has changed in the mappings of a state."""
    changed: dict[str, Any] = {}
    for each in fields(State):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if isinstance(new, dict):
            changed[each.name] = {k: v for k, v in new.items() if old.get(k) != v}
        elif each.name == "dismissed":
            changed[each.name] = new - old
    return changed
