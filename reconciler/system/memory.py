"""Reduces garbage collections. Each collection visits every live value, so with 10,000 tasks they
would take a sixth of a plan's time. `__main__` disables them; a command resumes them when its
values form cycles.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pauses garbage collection; nested pauses end with the outermost pause."""
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
