"""The text of JSON documents, with list items on separate lines, and documents without a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.model.diagnostics import Diagnostic

if TYPE_CHECKING:
    from reconciler.render.parts import Part

# A runner looks for its commands anywhere in a line; in JSON `##` occurs in strings only.
_INERT = r"\x7f|##(?=\w*\[)"


def json_document(diagnostics: Iterable[Diagnostic] = (), /, **members: object) -> dict[str, Any]:
    """A document of a command that has no schema."""
    from reconciler.render.parts import FORMAT_VERSION, diagnostic_items

    listed = [members_of(item) for item in diagnostic_items(diagnostics)]
    return {"formatVersion": FORMAT_VERSION, "diagnostics": listed, **members}


def members_of(part: Part) -> dict[str, Any]:
    """The members of a document or of a part of it, as JSON values."""
    import msgspec  # most runs write text

    found: dict[str, Any] = msgspec.to_builtins(part)
    return found


def dump(document: Part | Mapping[str, object]) -> str:
    """The text of a document, in ASCII, which any terminal and encoding can represent."""
    found = document if isinstance(document, Mapping) else members_of(document)
    members = [f"{json.dumps(name)}: {_value(value)}" for name, value in found.items()]
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
