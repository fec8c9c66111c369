"""JSON documents: their common members, and their text, with list items on separate lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.messages import diagnostic_document
from reconciler.model.canonical import ABSENT
from reconciler.model.diagnostics import Diagnostic

if TYPE_CHECKING:
    from reconciler.plan.plan import Change

FORMAT_VERSION = 1

# A runner looks for its commands anywhere in a line; in JSON `##` occurs in strings only.
_INERT = r"\x7f|##(?=\w*\[)"


def json_document(diagnostics: Iterable[Diagnostic] = (), /, **members: object) -> dict[str, Any]:
    """A document with the members that every document has."""
    listed = [diagnostic_document(diagnostic) for diagnostic in diagnostics]
    return {"formatVersion": FORMAT_VERSION, "diagnostics": listed, **members}


def change_document(change: Change) -> dict[str, object]:
    """A difference; an absent side is omitted."""
    sides = {"before": change.before, "after": change.after}
    present = {name: side for name, side in sides.items() if side is not ABSENT}
    origin = {"origin": change.origin.value, "inPlace": change.in_place}
    return {"path": change.path, **present, **origin}


def dump(document: Mapping[str, object]) -> str:
    """The text of a document, in ASCII, which any terminal and encoding can represent."""
    members = [f"{json.dumps(name)}: {_value(value)}" for name, value in document.items()]
    return inert("{" + ",\n ".join(members) + "}\n")


def json_line(value: Mapping[str, object]) -> str:
    """A document on one line (JSON Lines)."""
    return inert(json.dumps(value)) + "\n"


def inert(text: str) -> str:
    """ASCII JSON without anything that a workflow runner interprets as a command."""
    return re.sub(_INERT, lambda found: "\\u007f" if found[0] == "\x7f" else "\\u0023#", text)


def _value(value: object) -> str:
    if not isinstance(value, list | tuple) or not value:
        return json.dumps(value)
    return "[\n  " + ",\n  ".join(json.dumps(element) for element in value) + "]"
