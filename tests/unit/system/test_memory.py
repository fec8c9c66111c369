"""Garbage collection is restored to its previous state."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from reconciler.system.memory import (
    collection_paused,
    resume_collection,
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
