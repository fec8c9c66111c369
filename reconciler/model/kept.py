"""The limit on the data of responses that is kept in memory."""

from __future__ import annotations

import threading

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.model.typed_json import encode_json

_NO_MARKS = bytes(set(range(256)) - set(b",:[{"))
_VALUE = 50
"""The bytes that are added for each JSON value, because objects need more memory than text."""


class Kept:
    """Counts the bytes of kept data. The limit grows with the number of kept values, up to
    `limits.TASKS` values. Thread-safe."""

    def __init__(self, case: str = "kept") -> None:
        """`case` selects the message."""
        self._case, self._size, self._values = case, 0, 0
        self._lock = threading.Lock()

    def keep(self, value: object, before: int = 0) -> int:
        """Counts a value and returns its size; `before` is the size of the value that it replaces,
        if any. Raises RemoteError above the limit."""
        text = encode_json(value)
        size = len(text) + _VALUE * len(text.translate(None, _NO_MARKS))
        with self._lock:
            self._size += size - before
            self._values += not before
        self.check()
        return size

    def check(self) -> None:
        """Raises RemoteError if the kept data exceeds the limit."""
        with self._lock:
            more = limits.KEPT_BYTES_PER_TASK * min(self._values, limits.TASKS)
            limit, size = limits.KEPT_BYTES + more, self._size
        if size > limit:
            raise RemoteError.of(Code.UNREADABLE_LIST, self._case, limit=limit >> 20)
