"""What a session needs from the place where a state is stored: a local file or a shared engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from reconciler.model.diagnostics import Diagnostic, StateError
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.model import Event, State


class Claim(NamedTuple):
    """A request for the lock of a state. `purpose` (`apply`) is shown to others that find it
    locked; `waiting` is called once, with the holder in words, before waiting for the lock."""

    backend: str
    purpose: str
    lock_timeout: timedelta = timedelta()
    waiting: Callable[[str], None] | None = None


class StatePlace(Protocol):
    """Where a state is stored. Every method may raise StateError."""

    @property
    def shown(self) -> str:
        """Its name in messages."""

    def create(self, state: State) -> bool:
        """Saves the first state; False if one exists."""

    def try_write(self) -> None:
        """Writes something beside the state and removes it again."""

    def read(self, backend: str) -> State:
        """The current state with its journal folded in; takes no lock and writes nothing."""

    def take(self, claim: Claim) -> HeldState:
        """Takes the lock and reads."""


class HeldState(Protocol):
    """A state that this process has locked, from `take` to `release`."""

    @property
    def saved(self) -> State:
        """As last saved."""

    @property
    def events(self) -> Sequence[Event]:
        """The events since then, of runs that did not save."""

    @property
    def exists(self) -> bool:
        """Whether it was ever saved."""

    def log(self, durable: Durable) -> GroupCommit:
        """The log to append events to. To be called once."""

    def warnings(self) -> list[Diagnostic]:
        """Risks of the place, for the user."""

    def check_held(self) -> None:
        """StateError unless this run is certain to hold the lock. Called before each send."""

    def retake(self) -> None:
        """Confirms the lock before a save. StateError if another process has it."""

    def save(self, state: State, *, last: bool) -> None:
        """Replaces the saved state; the log is paused. With `last`, `release` follows. StateError:
        the log still has everything."""

    def clear_log(self) -> None:
        """The saved state has everything in the log; the log is paused. StateError."""

    def release(self) -> None:
        """Releases the lock; nothing can be appended any more."""

    def damaged_mark(self) -> StateError:
        """The last mark that was given is out of range."""
