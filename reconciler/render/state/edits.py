"""Changes of a state: of its entries, and of the state as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from reconciler.model.shell import shell_word
from reconciler.model.task import TaskRef
from reconciler.model.value import Value
from reconciler.render import safe
from reconciler.render.document import inert, json_document

_EDITS = {
    "moved": "Renamed {ref} to {to}.",
    "removed": "Removed {ref} from the state. The task keeps running.",
    "accepted": "Accepted the inputs of {to} for {ref}.",
    "resolved": "Recorded task {to} for {ref}.",
    "notCreated": "Recorded that no task was created for {ref}. The next apply creates it.",
    "keptTask": "Recorded that no new task was created for {ref}. It keeps its task.",
}
_CHANGES = {
    "created": "Created the state {place}.",
    "exists": "The state {place} already exists.",
    "unlocked": "Released the lock of {place}, which was held by {who}.",
    "notLocked": "The state {place} is not locked.",
    "pushed": "Replaced the state {place} with the contents of {who}.",
    "moved": "Moved the state {place} to {who}.",
    "movedBefore": "The state {place} was already moved to {who}.",
    "moveUndone": "The state {place} is no longer being moved.",
    "notMoving": "The state {place} is not being moved.",
}
_USE = "To use it, pass `--state {word}`, or set TASKCTL_STATE."
_USE_IN_FILE = "To use it, pass `--state {word}`, set TASKCTL_STATE, or add to taskctl.toml:"


class Edit(Value, frozen=True):
    """`done` names the edit of `ref`, `to` is the new key, task or file. `changed` is False if
    nothing had to change."""

    ref: TaskRef
    done: str
    changed: bool
    to: str = ""


class PlaceChange(Value, frozen=True):
    """`done` names the change of the state at `place`; `changed` is False if nothing had to change.
    `who` is the holder of the lock, or the file or place on the other side. `is_used`: commands
    without `--state` use this state."""

    place: str
    done: str
    changed: bool
    who: str = ""
    is_used: bool = True


def edit_text(edit: Edit) -> str:
    facts = {"ref": str(edit.ref), "to": edit.to}
    return safe.line(_EDITS[edit.done].format_map(facts)) + "\n"


def edits_document(edits: Iterable[Edit]) -> dict[str, object]:
    return json_document(
        edits=[
            {
                "changed": edit.changed,
                "result": edit.done,
                "key": edit.ref.key,
                "orgName": edit.ref.org_name,
                **({"to": edit.to} if edit.to else {}),
            }
            for edit in edits
        ]
    )


def place_text(change: PlaceChange) -> str:
    lines = [_CHANGES[change.done]]
    used = change.who if change.done == "moved" else change.place
    if not change.is_used:
        lines += [_USE_IN_FILE, '    state = "{used}"'] if _may_be_in_file(used) else [_USE]
    facts = {"place": change.place, "who": change.who, "used": used, "word": shell_word(used)}
    return "".join(safe.line(line.format_map(facts)) + "\n" for line in lines)


def _may_be_in_file(place: str) -> bool:
    """Whether a file in the repository may name it: a path, or a remote of the clone."""
    return place.startswith("git:") or not (":" in place or place.startswith("/"))


def place_document(change: PlaceChange) -> dict[str, object]:
    return json_document(state=change.place, result=change.done, changed=change.changed)


def copy_text(state: Mapping[str, object]) -> str:
    """A whole state, as `state push` reads it."""
    return inert(json.dumps(state, indent=2)) + "\n"


def copy_document(state: Mapping[str, object]) -> dict[str, object]:
    return json_document(state=state)
