"""Performance with very many tasks: fewer garbage collections.

A garbage collection visits every live value: with 100,000 tasks, collections take a third of a
plan's time. So `__main__` disables them; a command resumes them when its work leaves cycles.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmap import mmap

    Text = bytes | mmap
    """A long one has memory of its own, parts of which can be freed (`give_back`)."""

_M_MMAP_THRESHOLD = -3  # of malloc.h
_OWN_PAGES = 1 << 26


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


def joined(parts: Iterable[bytes]) -> bytes:
    """All parts, which are made one by one. To join a list of them would need the memory twice."""
    text = BytesIO()
    text.writelines(parts)
    return text.getvalue()


def whole(parts: Iterable[bytes], size: int) -> Text:
    """The same, for `give_back` if it is long: then, ValueError if `size` is not the bytes of all
    parts."""
    text = pages(size)
    if text is None:
        return joined(parts)
    for part in parts:
        text.write(part)  # or ValueError
    if text.tell() != size:
        raise ValueError(f"{text.tell()} bytes instead of {size}")
    return text


def pages(size: int) -> mmap | None:
    """Memory of its own for a long text; None for others, and on Windows. Whoever reads a long text
    needs other memory afterwards, so from now on, large blocks are returned, too."""
    if size < _OWN_PAGES:
        return None
    return_large_blocks()
    import mmap

    with suppress(OSError):
        if hasattr(mmap, "MAP_PRIVATE"):
            return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE)
    return None


def give_back(text: Text, end: int) -> None:
    """Frees the memory of the first bytes of a long text, up to `end`. They are zeros then, so
    nobody may read them again."""
    if not isinstance(text, bytes):
        import mmap

        if hasattr(mmap, "MADV_DONTNEED") and (end := end - end % mmap.PAGESIZE):
            with suppress(OSError):  # such as for locked pages
                text.madvise(mmap.MADV_DONTNEED, 0, end)
