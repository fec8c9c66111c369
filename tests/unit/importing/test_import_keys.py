"""Keys made from names: always keys, never one twice."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from reconciler.importing.keys import LONGEST, Keys, slug

KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")


@given(st.lists(st.text(max_size=200), max_size=8), st.sets(st.text("ab-2", max_size=4)))
def test_every_key_is_one_and_no_two_are_the_same(texts: list[str], taken: set[str]) -> None:
    keys = Keys(taken)
    made = [keys.of(text) for text in texts] + [keys.free("a"), keys.free("a" * LONGEST)]
    assert all(KEY.fullmatch(key) for key in made)
    assert len({*made, *taken}) == len(made) + len(taken)


@given(st.text(max_size=200))
def test_a_key_stays_as_it_is(text: str) -> None:
    made = slug(text)
    assert slug(made) == made


def test_keys_read_well() -> None:
    assert slug("Rotate IAM keys!") == "rotate-iam-keys"
    assert slug("Größe (v1.2_beta)…") == "groe-v1.2_beta" or slug("Größe") == "groe"
    assert slug("日本") == ""
    assert Keys(()).of("日本", "", "task-4f1c") == "task-4f1c"
    assert Keys(()).of("日本") == "task"
    long = Keys(()).of("Look at every stack of the organization that had no update for long")
    assert long == "look-at-every-stack-of-the-organization-that-had"
    keys = Keys({"a", "a-2"})
    assert [keys.free("a"), keys.free("a")] == ["a-3", "a-4"]
    assert keys.free("b" * LONGEST) == "b" * LONGEST
    assert keys.free("b" * LONGEST) == "b" * 126 + "-2"
