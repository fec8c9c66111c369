"""Copies the definitions that several schemas of documents share into each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "schemas"
SHARED = FOLDER / "definitions.json"
OF_FILES = ("manifest", "state")
"""The schemas of files. All others are those of documents (`--format json`)."""


def schema_pages() -> dict[str, str]:
    """The text of each schema of a document, by its path in the repository."""
    shared = json.loads(SHARED.read_text(encoding="utf-8"))["definitions"]
    return {
        f"schemas/{path.name}": _bundled(path, shared)
        for path in sorted(FOLDER.glob("*.schema.json"))
        if path.name.removesuffix(".schema.json") not in OF_FILES
    }


def _bundled(path: Path, shared: dict[str, Any]) -> str:
    """Raises KeyError for a definition that is missing."""
    schema = json.loads(path.read_text(encoding="utf-8"))
    known = {**schema.pop("definitions"), **shared}
    needed: set[str] = set()
    missing = set(_references(schema))
    while missing:
        needed |= missing
        missing = {name for one in missing for name in _references(known[one])} - needed
    schema["definitions"] = {name: known[name] for name in sorted(needed)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _references(value: Any) -> Iterator[str]:
    """The names of all definitions to which a schema refers."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref":
                yield item.removeprefix("#/definitions/")
            yield from _references(item)
