"""Markdown for a terminal: rows fit, and emphasized text is painted in each of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.render import cells
from reconciler.render.conversation import markdown_rows
from reconciler.render.style import Palette

ON = Palette(on=True)
WORDS = st.lists(st.text("ab*` -.界", min_size=1, max_size=9), max_size=12).map(" ".join)


def test_a_span_broken_across_rows_is_painted_in_both() -> None:
    rows = markdown_rows("see **one two three** and `a b`", 10, ON)
    assert rows == [
        f"see {ON.bold('one')}",
        ON.bold("two three"),
        f"and {ON.cyan('a b')}",
    ]


@given(WORDS, st.integers(10, 40))
def test_rows_fit_and_keep_every_character(text: str, columns: int) -> None:
    rows = markdown_rows(text, columns, ON)
    assert all(cells.width(cells.without_markup(row)) <= columns for row in rows)
    kept = "".join(cells.without_markup(row) for row in rows)
    for letter in "ab界.":
        assert kept.count(letter) == text.count(letter)
