"""Unit tests do not wait for the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="module")
def _do_not_wait_for_the_disk() -> Iterator[None]:
    """An fsync takes milliseconds, and matters only if the machine fails, which tests/crash covers.

    A bad file descriptor is still an error.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda fd: os.fstat(fd) and None)
        yield
