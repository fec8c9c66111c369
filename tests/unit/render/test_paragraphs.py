"""Paragraphs are filled anew, and nothing else: lists, headings and short lines stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.render import cells
from reconciler.render.paragraphs import paragraphs

LONG = "a line that was broken only because it was long"


def test_running_text_is_joined() -> None:
    assert paragraphs([LONG, "and goes on", "", "Another."]) == [
        (f"{LONG} and goes on", 0),
        ("", 0),
        ("Another.", 0),
    ]


def test_an_item_takes_what_is_indented_like_its_text() -> None:
    assert paragraphs([f"- {LONG}", "  and goes on", "- next"]) == [
        (f"- {LONG} and goes on", 2),
        ("- next", 2),
    ]


def test_what_stands_alone_stays_alone() -> None:
    for second in ("- item", "1. item", "# head", "  indented", "> quoted", "| cell |", "", "```"):
        assert [text for text, _ in paragraphs([LONG, second])] == [LONG, second]
    for first in ("For each key:", LONG + ":", LONG + "  ", "short"):
        assert len(paragraphs([first, "and goes on"])) == 2


def test_code_in_fences_stays_as_it_is() -> None:
    code = ["```sh", LONG, "and goes on", "```", LONG]
    assert [text for text, _ in paragraphs(code)] == code


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])), max_size=8))
def test_no_word_is_lost(lines: list[str]) -> None:
    words = " ".join(lines).split()
    assert " ".join(text for text, _ in paragraphs(lines)).split() == words


def test_rows_hang_below_the_text() -> None:
    assert cells.wrap("- one two three", 9, 2) == ["- one two", "  three"]
    assert cells.wrap("    " + "x" * 12, 8, 4) == ["    xxxx"] * 3
    assert cells.wrap("1. " + "y" * 12, 8, 3) == ["1.", "   yyyyy", "   yyyyy", "   yy"]
