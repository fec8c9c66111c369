"""`state init | unlock | pull | push | migrate`: shared states as a whole."""

from __future__ import annotations

from reconciler.app.context import Context
from reconciler.model.codes import Code
from reconciler.model.errors import StateError
from reconciler.render.state_place import PlaceChange
from reconciler.state.manager import SharedState


def create_state(ctx: Context, address: str | None) -> PlaceChange:
    """A new shared state for the backend, unless it is there already. StateError."""
    place = _shared(ctx, address)
    made = place.create(ctx.backend.name)
    return PlaceChange(place.shown, "created" if made else "exists", made)


def release_lock(ctx: Context, epoch: int) -> PlaceChange:
    """Releases the lock of that epoch. StateError."""
    place = _shared(ctx, None)
    holder = place.unlock(epoch)
    if holder is None:
        return PlaceChange(place.shown, "notLocked", False)
    return PlaceChange(place.shown, "unlocked", True, str(holder))


def _shared(ctx: Context, address: str | None) -> SharedState:
    from reconciler.app.state_place import is_address

    place = ctx.place if address is None else None
    if address is not None and is_address(address):
        place = ctx.shared(address)
    if not isinstance(place, SharedState):
        shown = address or ctx.state_address
        raise StateError.of(Code.STATE_ADDRESS, "local", file=shown)
    return place
