"""A cache of task data from the service; it can be deleted at any time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar

from reconciler.model import limits
from reconciler.model.canonical import texts_in
from reconciler.model.service import Identity
from reconciler.model.task import TaskId
from reconciler.model.typed_json import (
    Raw,
    ShapeError,
    builtins_of,
    decode_as,
    encode_json,
    members,
)
from reconciler.system.cache import UserCache

T = TypeVar("T")
_VERSION = 1
_MAX_ENTRY = 1 << 16
"""The maximum bytes of a value. Larger values are not cached, so that the cache stays small."""
_MAX_FILE = 64 << 20
"""The maximum bytes of the entries in a file; the oldest entries are dropped."""


class TaskCache(Generic[T]):
    """Values by task, in the user's cache: a JSON file for each `kind` of value, `service` and
    `caller`.

    `service` is the address of the service. Ignores files and entries that cannot be read or
    written, and values with a text that `scrub` changes, because they contain the token.
    """

    def __init__(
        self,
        files: UserCache,
        kind: str,
        service: str,
        caller: Identity,
        of: type[T],
        scrub: Callable[[str], str] = str,
    ) -> None:
        owner = json.dumps([service, caller.id, caller.organization, caller.team])
        self._name = f"{kind}-{hashlib.sha256(owner.encode()).hexdigest()[:32]}.json"
        self._files = files
        self._type = of
        self._scrub = scrub
        self._changed = False

    def get(self, task: TaskId) -> T | None:
        try:
            return decode_as(self._type, self._entries["/".join(task)])
        except (KeyError, ShapeError):
            return None

    def put(self, task: TaskId, value: T) -> None:
        """Changes the entry in memory, unless the value is very large; `save` writes it."""
        texts = texts_in(builtins_of(value), names=True)
        if any(self._scrub(text) != text for text in texts) or self.get(task) == value:
            return
        entry = Raw(encode_json(value))
        if len(entry) <= _MAX_ENTRY and decode_as(self._type, entry) == value:
            self._entries["/".join(task)] = entry
            self._changed = True

    def save(self) -> None:
        if not self._changed:
            return
        self._changed = False
        kept, left = dict[str, Raw](), _MAX_FILE
        for name, entry in reversed(self._entries.items()):  # the newest first
            left -= len(name) + len(entry)
            if left < 0:
                break
            kept[name] = entry
        data = encode_json({"version": _VERSION, "entries": dict(reversed(kept.items()))})
        self._files.write(self._name, data)

    @cached_property
    def _entries(self) -> dict[str, Raw]:
        """The entries in the file. Each is decoded only when it is needed: there may be many."""
        data = self._files.read(self._name, most=limits.CACHED_FILE_BYTES) or b"{}"
        try:
            content = members(data)
            version = decode_as(int, content["version"])
            entries = members(content["entries"])
        except (KeyError, ShapeError):
            return {}
        return entries if version == _VERSION else {}
