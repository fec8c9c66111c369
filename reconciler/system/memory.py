"""Performance with very many tasks: fewer garbage collections, and one object for equal values.

A garbage collection visits every live value: with 100,000 tasks, collections take a third of a
plan's time. So `__main__` disables them; a command resumes them when its work leaves cycles. Every
task has its own copy of users and settings: sharing them saves a quarter of a plan's memory, for
about a tenth of its time. A record has the inputs that its manifest declares: sharing those saves
another fifth.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

_M_MMAP_THRESHOLD = -3  # of malloc.h
MAX_SHARED = 10_000
_SHORT = 1_000
_objects: dict[str, dict[str, Any]] = {}
_texts: dict[str, str] = {}
_NO_ENTITIES: list[Any] = []
declared: dict[str, Any] = {}
"""The tasks of the manifests, or the records of a moved state, by key: records that are read later
share what is equal. Nothing else may depend on it."""


@contextmanager
def collection_paused() -> Iterator[None]:
    """No garbage collection in this context; nested pauses end with the outermost."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def resume_collection() -> None:
    """Ends a pause. Later collections skip the values that exist now, and run after every 50,000
    new values, far less often than Python's default."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(50_000)
        gc.enable()


def return_large_blocks() -> None:
    """From now on, memory of a megabyte or more goes back to the system when it is freed. With
    glibc's own limit, which grows to 32 MiB, each thread keeps it. Elsewhere, changes nothing."""
    import ctypes

    with suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def share(small: dict[str, Any]) -> dict[str, Any]:
    """An equal object seen before, or this one, if it has only texts; do not modify the result."""
    try:
        key = "\0".join(small.values())
    except TypeError:
        return small
    if len(key) > _SHORT:
        return small
    known = _objects.get(key)
    if known == small:
        return known
    if len(_objects) >= MAX_SHARED:
        _objects.clear()
    _objects[key] = small
    return small


def share_equal(task: Any, known: Mapping[str, Any], names: Iterable[str]) -> None:
    """Takes the values with these names that are equal from another form of the same task."""
    for name in names:
        if name in known and task.get(name) == known[name]:
            task[name] = known[name]


def share_parts(task: dict[str, Any], names: Iterable[str]) -> None:
    """Shares the creator of a task as the service returns it, an empty list of entities, and the
    texts with these names."""
    user = task.get("createdBy")
    if type(user) is dict:
        task["createdBy"] = share(user)
    if task.get("entities") == []:
        task["entities"] = _NO_ENTITIES
    for name in names:
        if type(text := task.get(name)) is not str:
            continue
        if (known := _texts.get(text)) is not None:
            task[name] = known
        elif len(text) <= _SHORT:
            _texts[text] = text
    if len(_texts) >= MAX_SHARED:
        _texts.clear()
