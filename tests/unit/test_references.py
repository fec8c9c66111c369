"""The independent oracle of references finds what it is for."""

from __future__ import annotations

import pytest

from tests.support.references import Sent, check_references, reference_in, without_reference

STATE = "babab-lusab-zokij"
LINE = f"Taskctl-Task: rotate/3 {STATE}"
PROMPT = f"Rotate the keys.\n\n{LINE}"
KEYS = {"Rotate the keys.": "rotate", "Other keys.": "other"}


@pytest.mark.parametrize(
    ("prompt", "reference"),
    [
        (PROMPT, Sent("Rotate the keys.", "rotate", 3, STATE)),
        (f"a\n\nTaskctl-Task: teams/rotate/12 {STATE}", Sent("a", "teams/rotate", 12, STATE)),
        (f"{PROMPT}\n", None),
        (f"{PROMPT}\nmore", None),
        (f"a {LINE}", None),
        (f"a\n{LINE}", None),
        (f"a\n\nTaskctl-Task: rotate/0 {STATE}", None),
        (f"a\n\nTaskctl-Task: rotate {STATE}", None),
        ("a\n\nTaskctl-Task: rotate/1 babab-lusab", None),
        ("a\n\nTaskctl-Task: rotate/1 babab-lusab-zokie", None),
        ("a\n\nTaskctl-Task: rotate/1 [REDACTED]", None),
        ("", None),
    ],
)
def test_only_the_last_line_is_a_reference(prompt: str, reference: Sent | None) -> None:
    assert reference_in(prompt) == reference
    assert without_reference(prompt) == (prompt if reference is None else reference.prompt)


def sent(work: str, key: str, number: int, state: str = STATE, text: str | None = None) -> Sent:
    return Sent(work if text is None else text, key, number, state)


FIRST = sent("Rotate the keys.", "rotate", 3)


def test_all_references_are_checked() -> None:
    rotate = [FIRST, FIRST, FIRST._replace(number=4), FIRST._replace(state="lusab-lusab-lusab")]
    found = {"Rotate the keys.": rotate, "Other keys.": [sent("Other keys.", "other", 5)]}
    check_references(found, KEYS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"Rotate the keys.": [FIRST._replace(key="other")]},
        {"Rotate the keys.": [FIRST], "Other keys.": [sent("Other keys.", "other", 3)]},
        {"Rotate the keys.": [FIRST._replace(prompt=PROMPT)]},
        {"": [sent("", "rotate", 3)]},
    ],
    ids=["another key", "a number twice", "two references", "no prompt"],
)
def test_a_wrong_reference_is_found(wrong: dict[str, list[Sent]]) -> None:
    with pytest.raises(AssertionError):
        check_references(wrong, KEYS)
