"""The reference of the manifest, from its schema: every property, its values, default, example."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.resources import schema_text

Schema = Mapping[str, Any]

OBJECTS = {
    "task": "A task",
    "message": "A message",
    "entityDiff": "Entities of a message",
    "repository": "The repository of a pull request",
    "command": "A slash command",
    "integration": "An integration",
    "cliIntegration": "A CLI integration",
}
"""Definitions with properties, in the order of the page; `entity` has a part for each type."""

HEAD = """\
# Manifest reference

<!-- Written by `python -m tools.reference` from schemas/manifest.schema.json: change it there. -->

A manifest is a YAML 1.2 file, `tasks/*.yaml` or `*.tasks.yaml`. An editor that knows
yaml-language-server completes and checks it where its first line names the schema:

```yaml
# yaml-language-server: $schema=../schemas/manifest.schema.json
version: 1
orgName: acme
tasks:
  rotate-iam-keys:
    message: Rotate every access key that is older than 90 days.
```

What is absent comes from `defaults`, then from the service. `null` means the service's own value,
whatever `defaults` says. `[]` means none. Unknown and repeated keys are errors.
"""


def manifest_page() -> str:
    schema: Schema = json.loads(schema_text("manifest"))
    definitions: Mapping[str, Schema] = schema["definitions"]
    parts = [HEAD, _part("The file", schema, definitions)]
    for name, title in OBJECTS.items():
        parts.append(_part(title, definitions[name], definitions))
        if name == "task":
            parts.append(_defaults(definitions["defaults"]))
        if name == "entityDiff":
            parts += _entities(definitions["entity"], definitions)
    return "\n".join(parts)


def _part(title: str, schema: Schema, definitions: Mapping[str, Schema], level: int = 2) -> str:
    rows = [f"{'#' * level} {title}", "", schema.get("description", ""), ""]
    rows += ["| property | value | default | what it is |", "| --- | --- | --- | --- |"]
    required = [*schema.get("required", ()), *schema.get("else", {}).get("required", ())]
    for name, given in schema["properties"].items():
        found = _resolved(given, definitions)
        cells = (
            f"`{name}`",
            _values(found, definitions),
            _default(found, is_required=name in required),
            f"{found['description']} {_example(found)}",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, ""])


def _defaults(schema: Schema) -> str:
    names = ", ".join(f"`{name}`" for name in schema["properties"])
    return f"## Defaults\n\n{schema['description']} As in a task: {names}.\n"


def _entities(entity: Schema, definitions: Mapping[str, Schema]) -> Iterator[str]:
    for case in entity["allOf"]:
        kind = case["if"]["properties"]["type"]["const"]
        of_type = {"const": kind, "description": "What kind of thing it is.", "examples": [kind]}
        found = {
            "description": f"An entity of type `{kind}`.",
            "required": ["type", *case["then"]["required"]],
            "properties": {**case["then"]["properties"], "type": of_type},
        }
        yield _part(f"Entity: {kind}", found, definitions, level=3)


def _resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "$ref" not in schema:
        return schema
    more = {name: value for name, value in schema.items() if name != "$ref"}
    return {**definitions[schema["$ref"].rpartition("/")[2]], **more}


def _values(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(v) if v is None else v}`" for v in schema["enum"])
    types = schema.get("type", "any")
    words = [types] if isinstance(types, str) else list(types)
    if "items" in schema:
        item = _resolved(schema["items"], definitions)
        words[words.index("array")] = f"list of {item.get('title', item['type'])}"
    said = " or ".join("text" if word == "string" else word for word in words)
    limits = {"minimum": "from {}", "maxLength": "at most {} characters"}
    return ", ".join([said, *(w.format(schema[n]) for n, w in limits.items() if n in schema)])


def _default(schema: Schema, *, is_required: bool) -> str:
    if is_required:
        return "required"
    if "default" in schema:
        return f"`{json.dumps(schema['default'])}`"
    types = schema.get("type", ())
    nullable = "null" in types if not isinstance(types, str) else types == "null"
    return "the service's own" if nullable or None in schema.get("enum", ()) else "none"


def _example(schema: Schema) -> str:
    return f"Example: `{json.dumps(schema['examples'][0], ensure_ascii=False)}`"
