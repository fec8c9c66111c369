"""Holds for all tests."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in each run, so that nobody's change fails for what another one did; `make soak`
# draws new ones. No example has a deadline: machines are shared.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("new", derandomize=False, deadline=None)
settings.load_profile("same")

# A shell that starts the tests in the background has SIGINT ignored, and so would every process
# that the tests start: no test of interrupting could pass there.
signal.signal(signal.SIGINT, signal.default_int_handler)

LEFT_OPEN = 60  # descriptors that the tests of one file may leave to the collector


@pytest.fixture(autouse=True, scope="module")
def _closes_what_it_opens() -> Iterator[None]:
    """A leak would be met much later, in a test that has nothing to do with it."""
    before = _open_files()
    yield
    left = Counter(_open_files().values()) - Counter(before.values())
    assert left.total() <= LEFT_OPEN, f"not closed by these tests: {left.most_common(5)}"


def _open_files() -> dict[str, str]:
    """What each descriptor is of, in Linux's words; nothing where the system does not tell."""
    found = {}
    for link in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            found[link.name] = re.sub(r"\d+", "N", str(link.readlink()))
    return found
