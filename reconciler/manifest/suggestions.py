"""Suggestions for unknown names and values. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

_MEANT = {
    "auto": "approvalMode: auto",
    "automatic": "approvalMode: auto",
    "cron": "every",
    "entities": "message.entity_diff",
    "id": "taskID",
    "integrations": "enabledIntegrations",
    "matrix": "forEach",
    "org": "orgName",
    "organization": "orgName",
    "permissions": "permissionMode",
    "prompt": "message",
    "readonly": "permissionMode: read-only",
    "schedule": "every",
    "shared": "isShared",
    "title": "name",
}
"""Other names for settings, folded, and the right ones."""

_SHORTEST = 4
"""The minimum length of a name that counts as similar because another one begins with it."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


def meant_property(name: str, known: Collection[str]) -> str | None:
    """The property that `name` was probably meant to be, if it is among the `known` ones; the path
    of a nested setting, and `NAME: VALUE` for a value of one."""
    meant = _MEANT.get(_folded(name))
    if meant is not None and re.split("[.:]", meant)[0] in known:
        return meant
    return similar(name, known)


def similar(name: str, known: Collection[str]) -> str | None:
    """The known name that is similar to `name`, if there is exactly one."""
    return _similar(name, tuple(known))


@lru_cache(maxsize=1000)
def _similar(name: str, known: tuple[str, ...]) -> str | None:
    import difflib

    plain = {_folded(choice): choice for choice in known}
    written = _folded(name)
    found = difflib.get_close_matches(written, list(plain), n=1, cutoff=0.7)
    if not found:
        long_enough = [c for c in plain if min(len(c), len(written)) >= _SHORTEST]
        found = [c for c in long_enough if c.startswith(written) or written.startswith(c)]
    return plain[found[0]] if len(found) == 1 else None


def as_item(value: object, schema: Mapping[str, Any]) -> str | None:
    """A text as the mapping that `schema` requires: `{id: datadog}` for `datadog`. None if its
    first property is not an ID."""
    required: Sequence[str] = schema.get("required", ())
    if not isinstance(value, str) or not _PLAIN.fullmatch(value) or not required:
        return None
    first, *others = required
    if not first.lower().endswith("id"):
        return None
    return "{" + ", ".join([f"{first}: {value}", *(f"{name}: ..." for name in others)]) + "}"


def _folded(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
