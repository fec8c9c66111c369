"""Garbage collection is restored to its previous state; shared values are equal, including
types."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from mmap import PAGESIZE
from typing import Any

import pytest

from reconciler.model.fields import ENUMERATED
from reconciler.system import memory
from reconciler.system.memory import (
    MAX_SHARED,
    collection_paused,
    give_back,
    resume_collection,
    share,
    share_parts,
    whole,
)


def user(login: str) -> dict[str, Any]:
    return {"name": login, "githubLogin": login}


def test_equal_objects_of_strings_are_shared() -> None:
    first, second = share(user("ada")), share(user("ada"))
    assert first is second
    assert share(user("bob")) == user("bob")


@pytest.mark.parametrize(
    "other", [{"merged": True}, {"merged": 1}, {"repo": {"name": "x"}}, {"name": None}, {}]
)
def test_other_values_are_unchanged(other: dict[str, Any]) -> None:
    assert share(other) == other
    assert [type(value) for value in share(other).values()] == [type(v) for v in other.values()]


def test_the_same_strings_under_other_names_are_not_shared() -> None:
    assert share({"name": "x", "org": "y"}) == {"name": "x", "org": "y"}
    assert share({"org": "x", "name": "y"}) == {"org": "x", "name": "y"}
    assert share({"name": "x\0y"}) == {"name": "x\0y"}


def test_equal_parts_of_tasks_are_shared_and_unchanged() -> None:
    def task() -> dict[str, Any]:
        return {"id": "t", "status": "".join(["id", "le"]), "createdBy": user("ada"), "source": 5}

    first, second = task(), task()
    share_parts(first, ENUMERATED)
    share_parts(second, ENUMERATED)
    assert first == second == task()
    assert first["createdBy"] is second["createdBy"]
    assert first["status"] is second["status"]


def test_the_number_of_shared_values_is_limited() -> None:
    def task(number: int) -> dict[str, Any]:
        return {"status": f"status {number}", "createdBy": user(f"user {number}")}

    first, again = task(0), task(0)
    share_parts(first, ENUMERATED)
    for number in range(1, 2 * MAX_SHARED):
        other = task(number)
        share_parts(other, ENUMERATED)
        assert other == task(number)
    share_parts(again, ENUMERATED)
    assert again == task(0)
    assert again["createdBy"] is not first["createdBy"]
    assert again["status"] is not first["status"]


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
