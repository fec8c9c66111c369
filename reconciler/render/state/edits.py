"""Changes of a state: of its entries, and of the state as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from reconciler.messages.remarks import phrase
from reconciler.render import safe
from reconciler.render.document import inert, json_document

if TYPE_CHECKING:
    from reconciler.app.state import Edit, PlaceChange


def edit_text(edit: Edit) -> str:
    return safe.line(phrase(f"edit.{edit.done}", ref=str(edit.ref), to=edit.to)) + "\n"


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
    lines = [phrase(f"state.{change.done}", place=change.place, who=change.who)]
    used = change.who if change.done == "moved" else change.place
    if not change.is_used and _may_be_in_file(used):
        lines += [phrase("state.useInFile", place=used), f'    state = "{used}"']
    elif not change.is_used:
        lines.append(phrase("state.use", place=used))
    return "".join(safe.line(line) + "\n" for line in lines)


def _may_be_in_file(place: str) -> bool:
    """Whether a file in the repository may name it: a remote of the clone."""
    return place.startswith("git:")


def place_document(change: PlaceChange) -> dict[str, object]:
    return json_document(state=change.place, result=change.done, changed=change.changed)


def copy_text(state: Mapping[str, object]) -> str:
    """A whole state, as `state push` reads it."""
    return inert(json.dumps(state, indent=2)) + "\n"


def copy_document(state: Mapping[str, object]) -> dict[str, object]:
    return json_document(state=state)
