"""`state init | unlock | pull | push | migrate`: states as a whole."""

from __future__ import annotations

import json
import os

from reconciler import disk
from reconciler.app.context import Context
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place
from reconciler.model.errors import StateError, TaskctlError
from reconciler.render.state_place import PlaceChange
from reconciler.state import edit, migration
from reconciler.state.codec import StateSource, decode_state, encode_state
from reconciler.state.held import StatePlace
from reconciler.state.model import State
from reconciler.state.session import Session, read_state
from reconciler.state.shared import SharedState


def create_state(ctx: Context, address: str | None) -> PlaceChange:
    """A new shared state for the backend, unless it is there already. StateError."""
    place, backend = _shared(ctx, address), ctx.backend.name
    made = place.create(State(os.urandom(16).hex(), 0, backend, is_new=True))
    if not made:
        read_state(place, backend=backend)
    is_used = address in (None, ctx.state_address)
    return PlaceChange(place.shown, "created" if made else "exists", made, is_used=is_used)


def release_lock(ctx: Context, epoch: int) -> PlaceChange:
    """Releases the lock of that epoch. StateError."""
    place = _shared(ctx, None)
    holder = place.unlock(epoch)
    if holder is None:
        return PlaceChange(place.shown, "notLocked", False)
    return PlaceChange(place.shown, "unlocked", True, str(holder))


def whole_state(ctx: Context) -> dict[str, object]:
    """The state as JSON, its journal folded in; without the checksum, which an edit would make
    wrong. StateError."""
    found: dict[str, object] = json.loads(encode_state(ctx.read_state()))
    del found["checksum"]
    return found


def push_state(ctx: Context, file: str) -> PlaceChange:
    """Replaces the state by a later version of it, in a file. TaskctlError."""
    data = _content(ctx, file)
    with ctx.open_state("state push") as session:
        state = session.state
        given = decode_state(data, StateSource(file), backend=state.backend)
        session.put(edit.pushed(state, given))
        session.save()
        changed = session.state.serial != state.serial
    return PlaceChange(ctx.place.shown, "pushed", changed, file)


def move_state(ctx: Context, to: str) -> PlaceChange:
    """Moves the state to another place, or completes that. StateError."""
    target = ctx.place_of(to)
    done = migration.migrate(ctx.place, target, _opened(ctx), ctx.clock.now())
    return PlaceChange(ctx.place.shown, "moved" if done else "movedBefore", done, target.shown)


def abort_move(ctx: Context) -> PlaceChange:
    """Undoes a move that was interrupted. StateError if it was completed."""
    done = migration.abort(ctx.place, _opened(ctx))
    return PlaceChange(ctx.place.shown, "moveUndone" if done else "notMoving", done)


def _opened(ctx: Context) -> migration.Opened:
    def opened(place: StatePlace) -> Session:
        return ctx.open_state("state migrate", place, moves=True)

    return opened


def _content(ctx: Context, file: str) -> bytes:
    try:
        data = disk.read_file(ctx.settings.path(file))
    except OSError as problem:
        data, reason = None, problem.strerror or str(problem)
    else:
        reason = "No such file or directory"
    if data is None:
        raise TaskctlError.of(Code.STATE_UNREADABLE, at=Place(file), file=file, reason=reason)
    return data


def _shared(ctx: Context, address: str | None) -> SharedState:
    place = ctx.place if address is None else ctx.place_of(address)
    if not isinstance(place, SharedState):
        shown = address or ctx.state_address
        raise StateError.of(Code.STATE_ADDRESS, "local", file=shown)
    return place
