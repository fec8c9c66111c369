"""The memory for what is kept of responses, which one lookup shares among all tasks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Executor
from sys import getsizeof
from typing import TypeVar

import msgspec

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import RemoteError
from reconciler.model.value import Value

T = TypeVar("T")
R = TypeVar("R")

_AT_A_TIME = 1_000
_NO_MARKS = bytes(set(range(256)) - set(b",:[{"))
_SCALARS = frozenset({str, int, float, bool, type(None)})


class Kept:
    """Counts what is kept, beyond what each task may need. Thread-safe."""

    def __init__(self, case: str = "kept") -> None:
        """`case` is that of the message."""
        self._case, self._left = case, limits.KEPT_BYTES
        self._sizes: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def keep(self, owner: Hashable, value: object, tasks: int = 1) -> None:
        """Counts `value`, which belongs to a number of tasks, instead of what `owner` had. Raises
        RemoteError if it is too much."""
        needed, size = tasks * limits.KEPT_BYTES_PER_TASK, 0
        if not isinstance(value, dict | list) or at_most(value) > needed:
            size = max(0, size_of(value) - needed)
        with self._lock:
            left = self._left + self._sizes.get(owner, 0) - size
            if left < 0:
                limit = limits.KEPT_BYTES >> 20
                raise RemoteError.of(Code.UNREADABLE_LIST, self._case, limit=limit)
            self._left = left
            if size:
                self._sizes[owner] = size
            else:
                self._sizes.pop(owner, None)


def mapped(pool: Executor, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """As `pool.map`, for some items at a time: a future takes more than a kilobyte."""
    for start in range(0, len(items), _AT_A_TIME):
        yield from pool.map(work, items[start : start + _AT_A_TIME])


def without_frames(work: Callable[[T], R]) -> Callable[[T], R]:
    """The function for a pool, whose futures keep errors: without the frames that they passed
    through, whose variables may be large."""

    def run(item: T) -> R:
        try:
            return work(item)
        except RemoteError as problem:
            raise problem.with_traceback(None) from None

    return run


def at_most(value: object) -> int:
    """More than `size_of`, and ten times as fast: a character takes up to 4 bytes, and a value of
    JSON, or a name, up to 150 more."""
    text = msgspec.json.encode(value)
    return 4 * len(text) + 150 * len(text.translate(None, _NO_MARKS))


def size_of(value: object) -> int:
    """The bytes of a value in memory, with all that it contains."""
    size, waiting = getsizeof(value), [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            parts = [*part, *part.values()]
        elif isinstance(part, list | tuple):
            parts = [*part]
        elif isinstance(part, Value):
            parts = [getattr(part, name) for name in part.__struct_fields__]
        else:
            continue
        size += sum(map(getsizeof, parts))
        waiting += [inner for inner in parts if type(inner) not in _SCALARS]
    return size
