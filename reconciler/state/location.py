"""The location of a state, and the state while a process has locked it: `state/local.py` and
`state/shared.py` implement both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, StateError
from reconciler.state.attempt import Author
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.lock import LastApply
from reconciler.state.model import Event, State


class Claim(NamedTuple):
    """A request for the lock of a state. `purpose`, such as `apply`, is shown to processes that
    find it locked.

    `waiting` is called before and during a wait, with a description of the holder. If the holder
    may have ended, the second argument is the number of seconds after which the lock is taken over,
    else None. `digest` identifies the declarations of an apply (empty for other commands). A later
    wave `follows` the declaration that the previous wave left with the lock.
    """

    backend: str
    purpose: str
    lock_timeout: timedelta = timedelta()
    waiting: Callable[[str, float | None], None] = lambda *_: None
    run: Author | None = None
    digest: str = ""
    follows: LastApply | None = None

    def declared(self, before: LastApply | None, display_name: str) -> LastApply | None:
        """The declaration to keep with the lock once it is taken. Raises StateError if another
        process has changed the declaration since the previous wave."""
        if self.follows is not None and before != self.follows:
            raise _changed(before, self.follows, display_name)
        if not self.digest or (before is not None and before.digest == self.digest):
            return before
        changes = before.changes + 1 if before is not None else 1
        return LastApply(self.digest, changes, self.purpose, self.run)

    def edited(self, declared: LastApply | None) -> LastApply | None:
        """The declaration after this process has edited the state; an apply does not change it."""
        if self.digest or declared is None:
            return declared
        return declared.edited(self.purpose, self.run)


def _changed(before: LastApply | None, follows: LastApply, display_name: str) -> StateError:
    code, at = Code.CHANGED_MEANWHILE, Place(display_name)
    if before is None:
        return StateError.of(code, "unknown", at=at)
    case = "edit" if before.digest == follows.digest else ""
    return StateError.of(code, case, at=at, command=before.command, run=str(before.run))


class StateLocation(Protocol):
    """The location of a state. Every method may raise StateError."""

    @property
    def display_name(self) -> str:
        """Its name in messages."""

    def create(self, state: State, claim: Claim | None = None) -> bool:
        """Saves the first state; False if one exists. `claim` is for the lock, if it is needed."""

    def read(self, backend: str) -> State:
        """The current state with its journal folded in; takes no lock and writes nothing."""

    def take(self, claim: Claim) -> Taken:
        """Takes the lock and reads."""


class Taken(NamedTuple):
    """A locked state: as it was last saved, and the events since then, from runs that ended without
    saving."""

    locked: LockedState
    saved: State
    events: Sequence[Event]


class LockedState(Protocol):
    """A state that this process has locked, from `take` to `release`."""

    @property
    def exists(self) -> bool:
        """Whether it was ever saved."""

    @property
    def declared(self) -> LastApply | None:
        """The declaration that is kept with the lock."""

    def note_edit(self) -> None:
        """Prevents a running `apply --wait` from starting another wave. Call it before an edit."""

    def log(self, durable: Durable) -> GroupCommit:
        """Opens the log to append events to. Call it once."""

    def warnings(self) -> list[Diagnostic]:
        """Warnings about the location."""

    def check_lock(self) -> None:
        """Raises StateError if this run may have lost the lock, the log or the saved state. After
        the first failure, it always raises. Call it right before each request and each save; the
        log calls it before each write."""

    def save(self, state: State, *, last: bool) -> State:
        """Replaces the saved state, while the log is paused, and returns it as it is read again.
        With `last`, `release` follows. If it raises StateError, the log still has everything."""

    def clear_log(self, state: State) -> None:
        """Clears the log while it is paused, because the saved `state` has its events. Raises
        StateError."""

    def release(self) -> None:
        """Releases the lock; nothing can be appended afterwards."""
