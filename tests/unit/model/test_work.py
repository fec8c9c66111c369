"""The comparison of the work of two tasks."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.service import FirstMessage
from reconciler.model.work import comparable_text, inputs_of, is_same_work, shows_work

STACK = {"type": "stack", "name": "web", "project": "shop"}
REPO = {"type": "repository", "name": "infra"}


def inputs(text: str, *entities: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"content": text}
    return {"message": {**message, "entity_diff": {"add": list(entities)}} if entities else message}


@pytest.mark.parametrize(
    ("theirs", "ours", "is_same"),
    [
        ("\r\n one  \r\ntwo \n", "one\ntwo\n", True),
        ("one\rtwo", "one\ntwo", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("one\n\ntwo", "one\ntwo", False),
        ("  one\n  two", "one\ntwo", False),
        ("connect with [REDACTED]", "connect with ghp_1234", False),
        ("rotate the key", "rotate the keys", False),
        ("Rotate the keys", "rotate the keys", False),
        ("", "x", False),
    ],
)
def test_prompts_are_compared_after_normalization(theirs: str, ours: str, is_same: bool) -> None:
    assert shows_work(FirstMessage(theirs), inputs(ours)) is is_same
    assert is_same_work(inputs(ours), inputs(theirs)) is is_same


@pytest.mark.parametrize(
    ("theirs", "ours", "is_same"),
    [
        ([], [], True),
        ([REPO, STACK], [STACK, REPO], True),
        ([{**STACK, "id": "x", "merged": False, "new": {"field": 1}}], [STACK], True),
        ([STACK], [{**STACK, "merged": False, "alias": None}], True),
        ([{**STACK, "repo": REPO}], [{**STACK, "repo": {"name": "infra"}}], True),
        ([{**STACK, "id": "x"}, STACK], [STACK, {**STACK, "id": "x"}], True),
        ([STACK], [STACK, REPO], False),
        ([], [STACK], False),
        ([{**STACK, "name": "api"}], [STACK], False),
        ([{**STACK, "repo": "infra"}], [{**STACK, "repo": REPO}], False),
        ([STACK, REPO], [STACK], False),
        ([STACK, STACK], [STACK], False),
    ],
)
def test_exactly_the_entities_that_were_sent_must_be_shown(
    theirs: list[Any], ours: list[Any], is_same: bool
) -> None:
    assert shows_work(FirstMessage("x", tuple(theirs)), inputs("x", *ours)) is is_same


@pytest.mark.parametrize("entities", [(), (STACK, REPO)])
def test_the_inputs_of_a_message_are_those_of_the_same_work(entities: tuple[Any, ...]) -> None:
    message = FirstMessage("do it", entities)
    assert inputs_of(message) == inputs("do it", *entities)
    assert shows_work(message, inputs_of(message))
    assert inputs_of(None) == {}


def test_long_texts_are_compared_in_linear_time() -> None:
    assert comparable_text("a" + " " * 2_000_000 + "b").endswith(" b")
