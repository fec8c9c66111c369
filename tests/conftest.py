"""Holds for all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# A shell that starts the tests in the background has SIGINT ignored, and so would every process
# that the tests start: no test of interrupting could pass there.
signal.signal(signal.SIGINT, signal.default_int_handler)

LEFT_OPEN = 25  # descriptors that the tests of one file may leave to the collector


@pytest.fixture(autouse=True, scope="module")
def _closes_what_it_opens() -> Iterator[None]:
    """A leak would be met much later, in a test that has nothing to do with it."""
    before = _descriptors()
    yield
    left = _descriptors() - before
    assert left <= LEFT_OPEN, f"{left} descriptors were opened by these tests, and not closed"


def _descriptors() -> int:
    """None are counted where the system does not tell."""
    return len(list(Path("/dev/fd").iterdir())) if Path("/dev/fd").is_dir() else 0
