"""What is shared is equal, to the last type."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.interning import MOST, kept, share_parts, shared


def user(login: str) -> dict[str, Any]:
    return {"name": login, "githubLogin": login}


def test_equal_objects_of_texts_become_one() -> None:
    first, second = shared(user("ada")), shared(user("ada"))
    assert first is second
    assert shared(user("bob")) == user("bob")


@pytest.mark.parametrize(
    "other", [{"merged": True}, {"merged": 1}, {"repo": {"name": "x"}}, {"name": None}, {}]
)
def test_others_stay_as_they_are(other: dict[str, Any]) -> None:
    assert shared(other) == other
    assert [type(value) for value in shared(other).values()] == [type(v) for v in other.values()]


def test_the_same_texts_under_other_names_are_not_the_same() -> None:
    assert shared({"name": "x", "org": "y"}) == {"name": "x", "org": "y"}
    assert shared({"org": "x", "name": "y"}) == {"org": "x", "name": "y"}
    assert shared({"name": "x\0y"}) == {"name": "x\0y"}


def test_parts_of_a_task_are_shared_and_nothing_is_changed() -> None:
    def task() -> dict[str, Any]:
        return {"id": "t", "status": "".join(["id", "le"]), "createdBy": user("ada"), "source": 5}

    first, second = task(), task()
    share_parts(first)
    share_parts(second)
    assert first == second == task()
    assert first["createdBy"] is second["createdBy"]
    assert first["status"] is second["status"]


def test_what_is_known_does_not_grow_without_end() -> None:
    for number in range(25_000):
        task = {"status": f"status {number}", "createdBy": user(f"user {number}")}
        share_parts(task)
        assert task["createdBy"] == user(f"user {number}")
    assert kept() <= 2 * MOST
