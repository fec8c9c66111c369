"""Redaction of sensitive tasks in diagnostics: none of their lines, no unknown name of theirs.

Whole tasks are redacted, not just messages: in a file with wrong indentation or another error, a
line of a prompt can be anywhere in its task.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from reconciler.manifest.finding import Finding
from reconciler.manifest.parse.source import Source
from reconciler.manifest.parse.spans import locate

_BELOW_TASK = 2


def without_name(found: Finding, keys: Collection[str]) -> Finding:
    """A finding in one of the tasks `keys` without the unknown name that it is about."""
    path = found.path
    below = len(path) > _BELOW_TASK and path[0] == "tasks" and path[1] in keys
    if below and found.on_key and found.diagnostic.at.path == path:
        parent = replace(found.diagnostic.at, path=path[:-1])
        return found._replace(diagnostic=replace(found.diagnostic, at=parent))
    return found


def redacted(body: bytes, source: Source, keys: Collection[str], *, whole: bool) -> bytes:
    """The text with the tasks `keys` replaced by stars.

    If the file was not read to its end (not `whole`), its tasks are unknown: everything is
    replaced if it may contain a sensitive task.
    """
    if not whole and b"sensitive" in body:
        return _starred(body.decode("utf-8", "replace")).encode()
    if not keys:
        return body
    lines = re.split("(?<=\n)|(?<=\r)(?!\n)", body.decode("utf-8", "replace"))
    for span in locate(source.events(), [("tasks", key) for key in keys]).values():
        for number in range(span.line, min(span.last_line, len(lines)) + 1):
            start = span.column - 1 if number == span.line else 0
            line = lines[number - 1]
            lines[number - 1] = line[:start] + _starred(line[start:])
    return "".join(lines).encode()


def _starred(text: str) -> str:
    return re.sub(r"[^\r\n]", "*", text)
