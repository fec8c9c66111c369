"""The JSON Schema of the state file, from the stored types."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from reconciler.state.attempt import OUTPUTS, Attempt, KeyNotes, RetiredTask
from reconciler.state.file import StateFile
from reconciler.state.model import Record

KEY = "^[^/]+/[^/]"
MARK = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{5}[1-9]Z$"
ITEMS = {
    "attempts": ("Attempt", MARK),
    "keys": ("KeyNotes", KEY),
    "retired": ("RetiredTask", ""),
    "tasks": ("Record", KEY),
}
"""What the raw members of a file contain, and the pattern of its names."""

NAMED = {"Attempt": ("mark",), "Record": ("task",)}
"""Fields that are not in a file, because the name of the item has them."""


class Field(NamedTuple):
    """A description and an example."""

    text: str
    example: Any


OUTPUT_TEXTS: Mapping[str, Field] = {
    "asyncTriggerType": Field("What triggered the task, if not a user.", "schedule"),
    "contextCompactionThresholdPercent": Field(
        "How full the context may become, in percent, before it is compacted.",
        80,
    ),
    "contextUsedTokens": Field("Tokens in the context.", 24310),
    "contextWindowTokens": Field("Tokens that fit into the context.", 200000),
    "createdAt": Field(
        "When the task was created, according to the service.", "2026-11-24T14:44:50Z"
    ),
    "createdBy": Field("The creator, according to the service.", {"githubLogin": "octocat"}),
    "entities": Field(
        "The stacks, repositories and other entities that the agent works on. The agent changes "
        "them.",
        [{"type": "repository", "name": "infra"}],
    ),
    "isShared": Field("Whether the organization can see the task.", True),
    "lastHeartbeat": Field("The agent's last heartbeat.", "2026-11-24T15:02:11Z"),
    "name": Field("The display name.", "Rotate IAM keys"),
    "runtimePhase": Field("The phase of the agent's runtime.", "running"),
    "sharedAt": Field("When the task was shared.", "2026-11-24T14:44:51Z"),
    "sourceAutomationID": Field("The automation that created the task, if any.", "auto-17"),
    "status": Field("The status that the service reports.", "idle"),
    "taskType": Field("The type of the task.", "default"),
    "tokensUsed": Field("Tokens used by the task.", 51200),
}


def state_schema() -> str:
    """The text of schemas/state.schema.json. Raises KeyError for an output without a
    description."""
    kinds = [StateFile, Attempt, KeyNotes, RetiredTask, Record]
    _, definitions = msgspec.json.schema_components(
        kinds, ref_template="#/definitions/{name}", schema_hook=lambda _: {"title": "any"}
    )
    definitions = _untitled(definitions)
    del definitions["TaskRef"]
    definitions["Attempt"]["required"].insert(0, "task")
    for name, kind in definitions.items():
        if "properties" in kind:
            kind["properties"] = dict(_properties(name, kind["properties"]))
    file = definitions.pop("StateFile")
    for name, (kind, pattern) in ITEMS.items():
        named = {"propertyNames": {"pattern": pattern}} if pattern else {}
        items = {"additionalProperties": {"$ref": f"#/definitions/{kind}"}}
        file["properties"][name] = {**file["properties"][name], **named, **items}
    file["properties"]["version"]["const"] = 1
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:taskctl:schema:state:1",
        "title": "taskctl state",
        "description": "The task that each key of the manifests has, and the attempts whose outcome "
        "is unknown. Written only by taskctl.",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "checksum", *file["required"][1:]],
        "properties": file["properties"],
        "definitions": dict(sorted(definitions.items())),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _untitled(value: Any) -> Any:
    """Without the titles and docstrings of types."""
    if isinstance(value, list):
        return [_untitled(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_type = isinstance(value.get("title"), str)
    left_out = ("title", "description") if is_type else ()
    return {name: _untitled(item) for name, item in value.items() if name not in left_out}


def _properties(kind: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in properties.items():
        if name in NAMED.get(kind, ()):
            continue
        value.pop("default", None)
        if name == "task":  # an array everywhere else
            about = {n: value[n] for n in ("description", "examples")}
            yield name, {**about, "type": "string", "pattern": KEY}
        elif name == "outputs":
            outputs = {n: _output(*OUTPUT_TEXTS[n]) for n in OUTPUTS}
            yield name, {**value, "properties": outputs, "additionalProperties": False}
        else:
            yield name, value


def _output(text: str, example: Any) -> dict[str, Any]:
    return {"description": text, "examples": [example]}
