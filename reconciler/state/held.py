"""What the session asks of the place where a state is: a local file, or a shared engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.errors import StateError
from reconciler.state.commit import Durable, GroupCommit
from reconciler.state.model import Event, State


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants the lock of a state, and for what. `purpose` is shown to whoever finds the lock
    taken (`apply`); `waiting` is called once, with the holder in words, if it must be waited for.
    """

    backend: str
    purpose: str
    lock_timeout: timedelta = timedelta()
    waiting: Callable[[str], None] | None = None


class StatePlace(Protocol):
    """Where a state is."""

    @property
    def shown(self) -> str:
        """As messages name it."""

    def create(self, state: State) -> bool:
        """Saves the first state; False if there is one already. StateError."""

    def try_write(self) -> None:
        """Writes something beside the state and removes it again. StateError."""

    def read(self, backend: str) -> State:
        """The state as it is, its journal folded in: no lock, nothing written. StateError."""

    def take(self, claim: Claim) -> HeldState:
        """Takes the lock and reads. StateError where the lock is held or the state unusable."""


class HeldState(Protocol):
    """A state that this process has locked, from `take` to `release`."""

    @property
    def saved(self) -> State:
        """As it was last saved."""

    @property
    def events(self) -> Sequence[Event]:
        """What happened since then, in runs that did not save."""

    @property
    def is_there(self) -> bool:
        """Whether it was saved before."""

    @property
    def journal_id(self) -> str:
        """What the next saved state names as its journal; empty if there is none."""

    def log(self, durable: Durable) -> GroupCommit:
        """Where events are appended. To be called once."""

    def warnings(self) -> list[Diagnostic]:
        """What is risky about the place, for the user."""

    def check_held(self) -> None:
        """StateError unless the lock is certainly still this run's. Called before each send."""

    def retake(self) -> None:
        """Makes sure of the lock before a save. StateError if somebody else has it."""

    def save(self, state: State, *, last: bool) -> None:
        """Replaces the saved state; the log is paused. With `last`, `release` follows. StateError:
        the log still holds everything."""

    def settle(self) -> None:
        """The saved state holds all that the log has; the log is paused. StateError."""

    def release(self) -> None:
        """Gives the lock back; nothing can be appended any more."""

    def damaged(self, case: str) -> StateError:
        """The state is damaged in that way (`Code.STATE_DAMAGED`)."""
