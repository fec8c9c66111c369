"""Interning of equal values: every task comes with its own copy of users and settings.

With 100,000 tasks, this saves a quarter of a plan's memory, for about a tenth of its time.
"""

from __future__ import annotations

from typing import Any

from reconciler.model.fields import CHOSEN

_FEW_VALUES = (*CHOSEN, "runtimePhase", "status", "taskType")
MOST = 10_000
_objects: dict[str, dict[str, Any]] = {}
_texts: dict[str, str] = {}


def kept() -> int:
    """The number of interned values, at most MOST of each kind."""
    return len(_objects) + len(_texts)


def shared(small: dict[str, Any]) -> dict[str, Any]:
    """An equal object seen before, for objects that contain only texts; must not be modified."""
    try:
        key = "\0".join(small.values())
    except TypeError:
        return small
    known = _objects.get(key)
    if known == small:
        return known
    if len(_objects) >= MOST:
        _objects.clear()
    _objects[key] = small
    return small


def share_parts(task: dict[str, Any]) -> None:
    """Interns the creator and the enumerated values of a task as the service returns it."""
    user = task.get("createdBy")
    if type(user) is dict:
        task["createdBy"] = shared(user)
    for name in _FEW_VALUES:
        if type(text := task.get(name)) is str:
            task[name] = _texts.setdefault(text, text)
    if len(_texts) >= MOST:
        _texts.clear()
