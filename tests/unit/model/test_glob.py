"""Globs against the regular expressions that they stand for."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.model.glob import first_match, is_glob, matches, other_sign, texts_of

TEXTS = st.text("ab.", max_size=12)
GLOBS = st.text("ab.*", max_size=8)


@given(GLOBS, TEXTS)
@example("a*a", "a")
@example("a*ab*b", "aab")
@example("**", "")
@example("*a*b", "aabab")
def test_a_glob_is_as_its_regular_expression(glob: str, text: str) -> None:
    pattern = "(.*?)".join(map(re.escape, glob.split("*")))
    found = re.fullmatch(pattern, text)
    assert matches(glob, text) == (found is not None)
    assert texts_of(glob, text) == (found.groups() if found is not None else None)


@pytest.mark.parametrize("text", ["a?", "[a]", "a\\", "a\n", "(a)"])
def test_other_characters_stand_for_themselves(text: str) -> None:
    assert matches(text, text)
    assert matches(f"*{text}", f"x{text}")
    assert not matches(text, "a")


@pytest.mark.parametrize(
    ("pattern", "sign"), [("a*", None), ("a?", "?"), ("x[a]", "["), ("a]?", "]"), ("", None)]
)
def test_the_first_wildcard_that_is_not_supported(pattern: str, sign: str | None) -> None:
    assert other_sign(pattern) == sign


def test_the_first_of_several_globs() -> None:
    assert first_match(["b*", "*a", "a*"], "a") == "*a"
    assert first_match(["b*"], "a") is None
    assert (is_glob("a*"), is_glob("a?")) == (True, False)
