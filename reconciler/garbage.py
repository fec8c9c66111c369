"""Python's search for circles of garbage, put off while many values are made and none is garbage.

Each of its rounds looks at every value that is alive: with 100,000 tasks that is a third of a plan.
`cli.main` begins without it; a command resumes it where its work leaves garbage behind.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """No search meanwhile; within another pause it goes on to the end of that one."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def resume() -> None:
    """Ends a pause; the values that are there by now are passed over by each later search, and one
    comes after 50,000 new ones: many times fewer than Python would do."""
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(50_000)
        gc.enable()
