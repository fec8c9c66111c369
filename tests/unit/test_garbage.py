"""The search for garbage is off where it was, and on where it was, whatever happens between."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from reconciler import garbage


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.enable()
    gc.unfreeze()


def test_a_pause_ends_with_its_block() -> None:
    with garbage.paused():
        with garbage.paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_pause_ends_when_its_block_fails() -> None:
    with pytest.raises(KeyError), garbage.paused():
        raise KeyError
    assert gc.isenabled()


def test_what_is_there_when_it_resumes_is_passed_over() -> None:
    garbage.resume()
    assert gc.get_freeze_count() == 0  # it was on: nothing to resume
    gc.disable()
    garbage.resume()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
