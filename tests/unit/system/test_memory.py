"""Garbage collection is restored to its previous state."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from mmap import PAGESIZE

import pytest

from reconciler.system import memory
from reconciler.system.memory import (
    collection_paused,
    give_back,
    resume_collection,
    whole,
)


@pytest.fixture(autouse=True)
def _restore_collection() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.enable()
    gc.unfreeze()


def test_a_pause_ends_with_its_block() -> None:
    with collection_paused():
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_pause_ends_when_its_block_fails() -> None:
    with pytest.raises(KeyError), collection_paused():
        raise KeyError
    assert gc.isenabled()


def test_values_that_exist_at_a_resume_are_excluded_from_collection() -> None:
    resume_collection()
    assert gc.get_freeze_count() == 0  # collection was not paused
    gc.disable()
    resume_collection()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_only_pages_that_were_used_whole_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_OWN_PAGES", 1)
    page = b"x" * PAGESIZE
    text = whole([page, page, page], 3 * PAGESIZE)
    give_back(text, PAGESIZE - 1)
    assert text[:] == page * 3
    give_back(text, 2 * PAGESIZE + 1)
    assert text[2 * PAGESIZE :] == page
    # Where the system cannot free a part, nothing changes.
    assert text[: 2 * PAGESIZE] == (bytes(2 * PAGESIZE) if sys.platform == "linux" else page * 2)
