"""Redaction: no message shows a credential, or a line, a part or an unknown name of a sensitive
task.

Whole tasks are redacted, not just messages: in a file with wrong indentation or another error, a
line of a prompt can be anywhere in its task.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from reconciler.manifest.document import Document
from reconciler.manifest.finding import Finding
from reconciler.manifest.parse.spans import locate
from reconciler.model.diagnostics import MAX_ALIKE
from reconciler.model.fields import STAND_IN
from reconciler.model.task import DesiredTask
from reconciler.model.value import replace


def sensitive_keys(tasks: Iterable[DesiredTask]) -> dict[str, set[str]]:
    """The keys of sensitive tasks, as declared, by manifest."""
    keys: dict[str, set[str]] = {}
    for task in tasks:
        if task.sensitive:
            keys.setdefault(task.file, set()).add(task.declared_key)
    return keys


_QUOTED = ("text", "value")
"""The facts of findings in a message that are parts of it."""


def redacted(finding: Finding, keys: Collection[str]) -> Finding:
    """The finding; if it is about an unknown name in one of the tasks `keys`, without that name,
    and about a message, without what it quotes."""
    path = finding.path
    if finding.task not in keys or len(path) <= len(("tasks", "KEY")):
        return finding
    if path[2] == "message":
        finding = without_quotes(finding)
    if finding.on_key and finding.shown_path == path:
        return replace(finding, shown=path[:-1])
    return finding


def without_quotes(found: Finding) -> Finding:
    quoted = {name: STAND_IN for name in _QUOTED if name in found.facts}
    return replace(found, facts={**found.facts, **quoted}) if quoted else found


def mask_secrets(body: bytes, findings: Iterable[Finding]) -> bytes:
    """The text with asterisks for everything in `findings` that looks like a credential."""
    secrets = {found.secret.encode() for found in findings if found.secret is not None}
    if len(secrets) > MAX_ALIKE:  # each requires a search of the whole text
        return b""
    for secret in secrets:
        body = body.replace(secret, b"*" * len(secret))
    return body


def mask_tasks(body: bytes, document: Document, keys: Collection[str]) -> bytes:
    """The text of a document with asterisks for the tasks `keys`.

    If the file was not read to its end, its tasks are unknown: everything is masked if it may
    contain a sensitive task.
    """
    if not document.is_complete and b"sensitive" in body:
        return _masked(body.decode("utf-8", "replace")).encode()
    if not keys:
        return body
    lines = re.split("(?<=\n)|(?<=\r)(?!\n)", body.decode("utf-8", "replace"))
    for span in locate(document.source.events(), [("tasks", key) for key in keys]).values():
        for number in range(span.line, min(span.last_line, len(lines)) + 1):
            start = span.column - 1 if number == span.line else 0
            line = lines[number - 1]
            lines[number - 1] = line[:start] + _masked(line[start:])
    return "".join(lines).encode()


def _masked(text: str) -> str:
    return re.sub(r"[^\r\n]", "*", text)
