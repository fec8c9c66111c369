"""What a session needs from the place where a state is stored: a local file or a shared engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from reconciler.model.diagnostics import Diagnostic, StateError
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.model import Event, State


class Claim(NamedTuple):
    """A request for the lock of a state. `purpose`, such as `apply`, is shown to processes that
    find it locked; `waiting` is called once before a wait, with a description of the holder."""

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
        """The state as last saved."""

    @property
    def events(self) -> Sequence[Event]:
        """The events since then, from runs that ended without saving."""

    @property
    def exists(self) -> bool:
        """Whether it was ever saved."""

    def log(self, durable: Durable) -> GroupCommit:
        """Opens the log to append events to. Call it once."""

    def warnings(self) -> list[Diagnostic]:
        """Warnings about the place."""

    def check_held(self) -> None:
        """Raises StateError unless this run certainly holds the lock. Called before each send."""

    def retake(self) -> None:
        """Confirms the lock before a save. Raises StateError if another process has it."""

    def save(self, state: State, *, last: bool) -> None:
        """Replaces the saved state, while the log is paused. With `last`, `release` follows. If it
        raises StateError, the log still has everything."""

    def clear_log(self) -> None:
        """Clears the log while it is paused, since the saved state has its events. Raises
        StateError."""

    def release(self) -> None:
        """Releases the lock; nothing can be appended afterwards."""

    def damaged_mark(self) -> StateError:
        """The error for a last mark that is out of range."""
