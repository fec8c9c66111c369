"""What became of a shared state as a whole: in one line, and as a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.render import safe
from reconciler.render.json import json_document

_DONE = {
    "created": "Created the state {place}.",
    "exists": "The state {place} already exists.",
    "unlocked": "Released the lock of {place}, which was held by {who}.",
    "notLocked": "The state {place} is not locked.",
}


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """`done` names what was done to the state at `place`; `changed` is False if nothing was."""

    place: str
    done: str
    changed: bool
    who: str = ""


def place_text(change: PlaceChange) -> str:
    return safe.line(_DONE[change.done].format(place=change.place, who=change.who)) + "\n"


def place_document(change: PlaceChange) -> dict[str, Any]:
    return json_document(state=change.place, result=change.done, changed=change.changed)
