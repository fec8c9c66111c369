"""The JSON Schemas of documents, from the structs that define them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from reconciler.render.apply.document import ApplyDocument
from reconciler.render.parts import Part
from reconciler.render.plan.document import PlanDocument
from reconciler.render.results.document import ResultsDocument
from reconciler.render.show import ShowDocument
from reconciler.render.state.document import StateDocument
from reconciler.render.status.document import InboxDocument, StatusDocument
from reconciler.render.validate.document import ValidateDocument
from reconciler.render.wait.document import WaitDocument

DOCUMENTS: dict[str, tuple[type[Part], str]] = {
    "apply": (ApplyDocument, "taskctl apply"),
    "inbox": (InboxDocument, "taskctl inbox"),
    "plan": (PlanDocument, "taskctl plan"),
    "results": (ResultsDocument, "taskctl results"),
    "show": (ShowDocument, "taskctl show KEY"),
    "state-list": (StateDocument, "taskctl state list and taskctl state show"),
    "status": (StatusDocument, "taskctl status"),
    "validate": (ValidateDocument, "taskctl validate"),
    "wait": (WaitDocument, "taskctl wait"),
}
"""By the name for `taskctl schema`: the struct, and the command that prints the document with
`--format json`."""


def schema_pages() -> dict[str, str]:
    """The text of each schema, by its path in the repository."""
    return {f"schemas/{name}.schema.json": _schema(name) for name in DOCUMENTS}


def _schema(name: str) -> str:
    kind, command = DOCUMENTS[name]
    (top,), components = msgspec.json.schema_components([kind], ref_template="#/definitions/{name}")
    body: dict[str, Any] = components.pop(top["$ref"].rpartition("/")[2])
    version = body["properties"]["formatVersion"]  # always written, although it has a default
    version.pop("default", None)
    required = list(dict.fromkeys(["formatVersion", *body["required"]]))
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"urn:taskctl:schema:{name}:1",
        "title": f"Output of {command} --format json",
        "description": _joined(body["description"]),
        "type": "object",
        "required": required,
        "properties": body["properties"],
        "definitions": dict(sorted(components.items())),
    }
    return json.dumps(_plain(schema), indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Without the names of structs as titles, and with each description on one line."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: _plain(item) for name, item in value.items()}
    if "properties" in found and "$schema" not in found:
        found.pop("title", None)
    if isinstance(found.get("description"), str):
        found["description"] = _joined(found["description"])
    return found


def _joined(text: str) -> str:
    return " ".join(text.split())
