"""Moves a state to another location, so that at most one of the two is ever in use.

First the source is marked as moving; then the target gets everything, marked as not in use; then
the source becomes an empty state that refers to the target; and only then is the target used. Each
step is a write that fails for a run that has lost the lock. After an interruption, either the
source is still usable (after `abort`), or `migrate` with the same locations completes the move.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress

from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.value import replace
from reconciler.state.attempt import Move, Stage
from reconciler.state.codec import state_json
from reconciler.state.location import StateLocation
from reconciler.state.model import State
from reconciler.state.session import Session

Opened = Callable[[StateLocation], Session]
"""Locks and opens a state, even if it was moved."""


def migrate(source: StateLocation, target: StateLocation, opened: Opened) -> bool:
    """Moves the state; False if it was moved before. If it raises StateError, either the source is
    still usable, or the move must be repeated."""
    if source.display_name == target.display_name:
        raise _refused("same", source)
    with opened(source) as source_session, ExitStack() as stack:
        state = source_session.state
        if not source_session.exists:
            raise _refused("absent", source)
        if state.move == Move(Stage.MOVED_TO, target.display_name):
            return _complete(source, target, opened, state.lineage)
        if state.move is not None and state.move != Move(Stage.MOVING_TO, target.display_name):
            raise _moved(state.move, source)
        try:
            _save(source_session, replace(state, move=Move(Stage.MOVING_TO, target.display_name)))
            move = Move(Stage.MOVING_FROM, source.display_name)
            moved = replace(source_session.state, move=move, journal="")
            target.create(moved)
            target_session = stack.enter_context(opened(target))
            _fill(target_session, moved, target)
            moved_to = Move(Stage.MOVED_TO, target.display_name)
            _save(source_session, _emptied(source_session.state, moved_to))
        except StateError:
            with suppress(StateError):  # fails if the lock is lost or the location is unreachable
                serial = source_session.state.serial
                _save(source_session, replace(state, serial=serial, move=None))
            raise
        # From here on, the source must not be used again.
        _save(target_session, replace(target_session.state, move=None))
    return True


def abort(source: StateLocation, opened: Opened) -> bool:
    """Makes the source of an interrupted move usable again; False if no move is in progress.
    Raises StateError if the move was completed."""
    with opened(source) as source_session:
        move = source_session.state.move
        if move is not None and move.stage is not Stage.MOVING_TO:
            raise _moved(move, source)
        _save(source_session, replace(source_session.state, move=None))
    return move is not None


def _fill(target_session: Session, moved: State, target: StateLocation) -> None:
    """Fills the target; overwrites only what an earlier move of the same state left there."""
    before = target_session.state
    if before.lineage != moved.lineage or before.move is None:
        raise _refused("taken", target)
    serial = max(moved.serial, before.serial)
    _save(target_session, replace(moved, serial=serial, journal=before.journal))
    if _content(target.read(moved.backend)) != _content(moved):
        raise _refused("differs", target)


def _complete(source: StateLocation, target: StateLocation, opened: Opened, lineage: str) -> bool:
    """Completes a move whose source is no longer in use."""
    with opened(target) as target_session:
        state = target_session.state
        if state.lineage != lineage:
            raise _refused("taken", target)
        if state.move == Move(Stage.MOVING_FROM, source.display_name):
            target_session.put(replace(state, move=None))
        elif state.move is not None:
            raise _moved(state.move, target)
        return state.move is not None


def _save(session: Session, state: State) -> None:
    session.put(state)
    session.save()


def _emptied(state: State, move: Move) -> State:
    empty = State(state.lineage, state.serial, state.backend, state.provenance)
    return replace(empty, move=move, journal=state.journal)


def _content(state: State) -> bytes:
    """The content to move."""
    return state_json(replace(state, serial=0, journal=""))


def _moved(move: Move, location: StateLocation) -> StateError:
    if move.stage is Stage.MOVING_FROM:
        return StateError.of(
            Code.STATE_MOVED, move.stage, file=location.display_name, place=move.place
        )
    return _refused("other" if move.stage is Stage.MOVING_TO else "moved", location, move.place)


def _refused(case: str, location: StateLocation, other: str = "") -> StateError:
    display_name = location.display_name
    return StateError.of(Code.STATE_MIGRATION, case, file=display_name, place=other or display_name)
