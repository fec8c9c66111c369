"""Redaction: no message shows a part or an unknown name of a sensitive task.

In a file with wrong indentation or another error, a line of a prompt can be anywhere in its task.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.manifest.finding import Finding
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
