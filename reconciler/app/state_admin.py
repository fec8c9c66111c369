"""`state init | unlock | pull | push | migrate`: creates, unlocks, copies and moves states."""

from __future__ import annotations

import json
import os

from reconciler import disk
from reconciler.app.context import Context
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, StateError, TaskctlError
from reconciler.render.outcomes import PlaceChange
from reconciler.state import edit, migration
from reconciler.state.codec import StateSource, decode_state, encode_state
from reconciler.state.model import State
from reconciler.state.session import read_state
from reconciler.state.shared import SharedState


def create_state(ctx: Context, address: str | None) -> PlaceChange:
    """Creates a shared state for the backend, unless it exists already. StateError."""
    place, backend = _shared(ctx, address), ctx.backend.name
    created = place.create(State(os.urandom(16).hex(), 0, backend, is_new=True))
    if not created:
        read_state(place, backend=backend)
    is_used = address in (None, ctx.state_address)
    return PlaceChange(place.shown, "created" if created else "exists", created, is_used=is_used)


def release_lock(ctx: Context, epoch: int) -> PlaceChange:
    """Releases the lock of that epoch. StateError."""
    place = _shared(ctx, None)
    holder = place.unlock(epoch)
    if holder is None:
        return PlaceChange(place.shown, "notLocked", False)
    return PlaceChange(place.shown, "unlocked", True, str(holder))


def pull_state(ctx: Context) -> dict[str, object]:
    """The state with its journal as JSON, without the checksum, which edits would invalidate.
    StateError."""
    document: dict[str, object] = json.loads(encode_state(ctx.read_state()))
    del document["checksum"]
    return document


def push_state(ctx: Context, file: str) -> PlaceChange:
    """Replaces the state with a later version of it from a file. TaskctlError."""
    reason = "No such file or directory"
    try:
        data = disk.read_file(ctx.settings.path(file))
    except OSError as problem:
        data, reason = None, problem.strerror or str(problem)
    if data is None:
        raise TaskctlError.of(Code.STATE_UNREADABLE, at=Place(file), file=file, reason=reason)
    with ctx.open_state("state push") as session:
        state = session.state
        given = decode_state(data, StateSource(file), backend=state.backend)
        session.put(edit.push(state, given))
        session.save()
        changed = session.state.serial != state.serial
    return PlaceChange(ctx.place.shown, "pushed", changed, file)


def move_state(ctx: Context, to: str) -> PlaceChange:
    """Moves the state to another place, or completes an interrupted move. StateError."""
    target = ctx.place_of(to)
    done = migration.migrate(ctx.place, target, _opener(ctx), ctx.clock.now())
    return PlaceChange(ctx.place.shown, "moved" if done else "movedBefore", done, target.shown)


def abort_move(ctx: Context) -> PlaceChange:
    """Undoes an interrupted move. StateError if it was completed."""
    done = migration.abort(ctx.place, _opener(ctx))
    return PlaceChange(ctx.place.shown, "moveUndone" if done else "notMoving", done)


def _opener(ctx: Context) -> migration.Opened:
    return lambda place: ctx.open_state("state migrate", place, moves=True)


def _shared(ctx: Context, address: str | None) -> SharedState:
    place = ctx.place if address is None else ctx.place_of(address)
    if not isinstance(place, SharedState):
        raise StateError.of(Code.STATE_ADDRESS, "local", file=address or ctx.state_address)
    return place
