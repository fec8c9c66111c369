"""What became of a shared state as a whole: in one line, and as a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.shell import shell_word
from reconciler.render import safe
from reconciler.render.json import inert, json_document

_USE = "To use it, pass `--state {word}`, or set TASKCTL_STATE."
_USE_GIT = "To use it, pass `--state {word}`, set TASKCTL_STATE, or add to taskctl.toml:"
_DONE = {
    "created": "Created the state {place}.",
    "exists": "The state {place} already exists.",
    "unlocked": "Released the lock of {place}, which was held by {who}.",
    "notLocked": "The state {place} is not locked.",
    "pushed": "Replaced the state {place} by that of {who}.",
    "moved": "Moved the state {place} to {who}. Name its new place with --state from now on.",
    "movedBefore": "The state {place} was already moved to {who}.",
    "moveUndone": "The state {place} is not being moved any more.",
    "notMoving": "The state {place} is not being moved.",
}


@dataclass(frozen=True, slots=True)
class PlaceChange:
    """`done` names what was done to the state at `place`; `changed` is False if nothing was. `who`:
    whose lock, which file or other place it was done with."""

    place: str
    done: str
    changed: bool
    who: str = ""
    is_used: bool = True
    """Whether commands without `--state` use this state."""


def place_text(change: PlaceChange) -> str:
    lines = [_DONE[change.done]]
    if not change.is_used:
        is_git = change.place.startswith("git:")
        lines += [_USE_GIT, '    state = "{place}"'] if is_git else [_USE]
    facts = {"place": change.place, "who": change.who, "word": shell_word(change.place)}
    return "".join(safe.line(line.format_map(facts)) + "\n" for line in lines)


def copy_text(state: Mapping[str, object]) -> str:
    """A whole state, as `state push` reads it."""
    return inert(json.dumps(state, indent=2)) + "\n"


def copy_document(state: Mapping[str, object]) -> dict[str, object]:
    return json_document(state=state)


def place_document(change: PlaceChange) -> dict[str, object]:
    return json_document(state=change.place, result=change.done, changed=change.changed)
