"""Columns of text in a terminal."""

from __future__ import annotations

import pytest

from reconciler.render.cells import split, width


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("plain", 5),
        ("界", 2),
        ("e\u0301", 1),
        ("\u26a0", 1),
        ("\u26a0\ufe0f", 2),  # the same sign as an emoji
        ("1\ufe0f\u20e3", 2),
        ("\U0001f600 a", 4),
        ("\x1b[31mred\x1b[0m", 3),
    ],
)
def test_the_width_is_that_of_terminals(text: str, columns: int) -> None:
    assert width(text) == columns


def test_an_emoji_is_not_split() -> None:
    sign = "\u26a0\ufe0f"
    assert split(f"{sign}{sign}ab", 3) == [sign, f"{sign}a", "b"]
