"""The only comparison of the work of two tasks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.service import FirstMessage
from reconciler.model.work import (
    Work,
    comparable_text,
    compare_work,
    inputs_of,
    is_redaction_of,
    message_of,
)

LONG = "connect with ghp_1234 and rotate the keys"
REDACTED = "connect with [REDACTED] and rotate the keys"
STACK = {"type": "stack", "name": "web", "project": "shop"}
REPO = {"type": "repository", "name": "infra"}


def inputs(text: str, *entities: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"content": text}
    return {"message": {**message, "entity_diff": {"add": list(entities)}} if entities else message}


@pytest.mark.parametrize(
    ("theirs", "ours", "result"),
    [
        ("\r\n one  \r\ntwo \n", "one\ntwo\n", Work.SAME),
        ("caf\u00e9", "cafe\u0301", Work.SAME),
        (REDACTED, LONG, Work.SIMILAR),
        ("use [REDACTED]", "use ghp_1", Work.SIMILAR),  # however little is left
        ("[REDACTED]", LONG, Work.SIMILAR),
        (LONG[:-3], LONG, Work.OTHER),
        ("x" + LONG, LONG, Work.OTHER),
    ],
)
def test_prompts_are_compared_after_normalization(theirs: str, ours: str, result: Work) -> None:
    assert compare_work(inputs(ours), FirstMessage("", theirs)) is result


@pytest.mark.parametrize(
    ("theirs", "ours", "result"),
    [
        ([], [], Work.SAME),
        ([REPO, STACK], [STACK, REPO], Work.SAME),
        ([{**STACK, "id": "x", "merged": False, "new": {"field": 1}}], [STACK], Work.SAME),
        ([STACK], [{**STACK, "merged": False, "alias": None}], Work.SAME),
        ([STACK], [STACK, REPO], Work.SIMILAR),
        ([], [STACK], Work.SIMILAR),
        ([{**STACK, "name": "api"}], [STACK], Work.OTHER),
        ([STACK, REPO], [STACK], Work.OTHER),
        ([STACK, STACK], [STACK], Work.OTHER),
    ],
)
def test_exactly_the_entities_that_were_sent_must_be_shown(
    theirs: list[Any], ours: list[Any], result: Work
) -> None:
    assert compare_work(inputs("x", *ours), FirstMessage("", "x", tuple(theirs))) is result


def test_redacted_text_with_fewer_entities_is_similar() -> None:
    assert compare_work(inputs(LONG, STACK), FirstMessage("", REDACTED)) is Work.SIMILAR


def test_a_task_without_a_first_message_may_do_any_work() -> None:
    assert compare_work(inputs("x"), None) is Work.SIMILAR


def test_inputs_do_their_own_work() -> None:
    made = inputs(LONG, STACK, REPO)
    assert compare_work(made, message_of(made)) is Work.SAME


@pytest.mark.parametrize(
    ("theirs", "ours", "is_one"),
    [
        ("[REDACTED]", "x", True),
        ("[REDACTED]", "", False),
        ("a [REDACTED] b", "a secret b", True),
        ("a [REDACTED] b", "a  b", False),
        ("a [REDACTED] b", "a secret c", False),
        ("[REDACTED] and [REDACTED]", "x and y", True),
        ("[REDACTED] and [REDACTED]", "x or y", False),
        ("aa[REDACTED]aa", "aaa", False),
        ("plain", "plain", False),
        ("[REDACTED]", "[REDACTED] x", True),
        ("[REDACTED] and [REDACTED]", "[REDACTED] and x", True),
        ("[REDACTED] or [REDACTED]", "[REDACTED] and x", False),
    ],
)
def test_a_redacted_prompt_matches_only_its_original(
    theirs: str, ours: str, *, is_one: bool
) -> None:
    assert is_redaction_of(theirs, ours) is is_one


def test_long_texts_are_compared_in_linear_time() -> None:
    assert not is_redaction_of("a[REDACTED]" * 20_000 + "c", "ab" * 40_000)
    assert comparable_text("a" + " " * 2_000_000 + "b").endswith(" b")


@given(st.lists(st.text("ab", max_size=4), min_size=1, max_size=6), st.data())
def test_any_redacted_prompt_matches_its_original(pieces: list[str], data: st.DataObject) -> None:
    secrets = [data.draw(st.text("xyz", min_size=1, max_size=3)) for _ in pieces[1:]]
    ours = pieces[0] + "".join(s + p for s, p in zip(secrets, pieces[1:], strict=True))
    theirs = "[REDACTED]".join(pieces)
    assert is_redaction_of(theirs, ours) is (len(pieces) > 1)


@pytest.mark.parametrize("entities", [(), (STACK, REPO)])
def test_the_inputs_of_a_message_are_those_of_the_same_work(entities: tuple[Any, ...]) -> None:
    assert inputs_of(FirstMessage("", "do it", entities)) == inputs("do it", *entities)
    assert inputs_of(None) == {}
