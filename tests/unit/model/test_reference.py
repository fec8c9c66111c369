"""References: the last line of a prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.reference import (
    Reference,
    is_state_id,
    reserved_line,
    split_prompt,
    state_id,
    with_reference,
)
from tests.support.references import reference_in

STATE = "bafol-rusab-tizok"
REFERENCE = Reference("up@a/b", 3, STATE)
LINE = "Taskctl-Task: up@a/b/3 bafol-rusab-tizok"

keys = st.from_regex(
    r"[a-z0-9][a-z0-9._-]{0,20}(@[A-Za-z0-9][A-Za-z0-9._/-]{0,20})?", fullmatch=True
)
references = st.builds(
    Reference, keys, st.integers(1, 10**15 - 1), st.binary(min_size=6, max_size=6).map(state_id)
)


def sent(prompt: str, reference: Reference = REFERENCE) -> str:
    return str(with_reference({"content": prompt, "commands": {}}, reference)["content"])


def test_it_is_the_last_line_after_an_empty_line() -> None:
    assert sent("Do it.") == sent("Do it.\n\n") == f"Do it.\n\n{LINE}"


@given(st.text(), references)
def test_a_sent_prompt_is_split_into_its_parts(prompt: str, reference: Reference) -> None:
    assert split_prompt(sent(prompt, reference)) == (prompt.rstrip("\r\n"), reference)
    found = reference_in(sent(prompt, reference))
    assert found is not None
    assert found == (prompt.rstrip("\r\n"), *reference)


@given(references)
def test_its_text_is_parsed(reference: Reference) -> None:
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "shown",
    [f"a\n{LINE}\n", f"a\n\n{LINE}  \n\n", f"a\r\n\r\n{LINE}", f"a\n\n  {LINE}"],
)
def test_a_service_may_change_the_whitespace_around_it(shown: str) -> None:
    prompt, reference = split_prompt(shown)
    assert (prompt.rstrip(), reference) == ("a", REFERENCE)


@pytest.mark.parametrize(
    "text",
    [
        "Do it.",
        "",
        f"{LINE}\nDo it.",
        f"Do it. {LINE}",
        "Taskctl-Task: a/0 bafol-rusab-tizok",
        "Taskctl-Task: a/01 bafol-rusab-tizok",
        "Taskctl-Task: a bafol-rusab-tizok",
        "Taskctl-Task: A/1 bafol-rusab-tizok",
        "Taskctl-Task: a/1 bafol-rusab",
        "Taskctl-Task: a/1 [REDACTED]",
        f"Taskctl-Task: {'a' * 129}/1 bafol-rusab-tizok",
    ],
)
def test_anything_else_is_text(text: str) -> None:
    assert split_prompt(text) == (text, None)


@given(st.sets(st.binary(min_size=6, max_size=6), min_size=2))
def test_state_ids_are_pronounceable_and_different(random: set[bytes]) -> None:
    ids = set(map(state_id, random))
    assert len(ids) == len(random)
    assert all(map(is_state_id, ids))


def test_other_words_are_no_state_ids() -> None:
    assert not any(map(is_state_id, ("", "bafol-rusab", "bafel-rusab-tizok", f"{STATE}-tizok")))


def test_a_reserved_line_is_found_anywhere() -> None:
    assert reserved_line(f"a\n  {LINE}\nb") == 1
    assert reserved_line("Taskctl-Task: anything") == 0
    assert reserved_line("a Taskctl-Task: b") is None
