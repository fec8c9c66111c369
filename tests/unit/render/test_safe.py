"""External text is made inert: no invisible characters and no commands; the rest is unchanged."""

from __future__ import annotations

import re
import sys
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.render import cells, safe
from reconciler.render.safe import linked, web_address
from reconciler.render.style import Palette, Style
from tests.support.escaping import commands_in, invisible_in
from tests.support.plan_strategies import HOSTILE, hostile_text

some_text = st.lists(st.one_of(st.text(max_size=20), hostile_text), max_size=4).map("".join)
commandlike = st.text(st.sampled_from(":#[] \t\n\r\xa0\u2003\u200b\ufe0fvsoerror"), max_size=30)


@given(some_text | commandlike)
def test_a_line_is_one_visible_line_without_commands(text: str) -> None:
    shown = safe.line(text)
    assert invisible_in(shown) == set()
    assert commands_in(shown) == []
    assert safe.line(shown) == shown


@given(some_text | commandlike)
def test_a_block_has_no_invisible_characters_but_newlines(text: str) -> None:
    shown = safe.block(text)
    assert invisible_in(shown) <= {"\n"}
    assert commands_in(shown) == []
    assert shown.count("\n") == text.replace("\r\n", "\n").count("\n")
    assert safe.block(shown) == shown


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_plain_text_is_unchanged(text: str) -> None:
    if commands_in(text) == []:
        assert safe.line(text) == safe.block(text) == text


def test_every_unicode_character_is_handled() -> None:
    invisible = ("Cc", "Cf", "Cs", "Zl", "Zp")
    through = [
        hex(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in invisible and safe.line(chr(code)) == chr(code)
    ]
    assert through == []


@pytest.mark.parametrize(
    ("text", "line", "block"),
    [
        ("\x1b[2J\x07", r"\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\r\nb\rc\td", r"a\r\nb\rc\td", "a\nb\\rc\\td"),
        ("\u202eabc\u2069", r"\u202eabc\u2069", r"\u202eabc\u2069"),
        ("\ud83d", r"\ud83d", r"\ud83d"),
        ("\U000e0041", r"\U000e0041", r"\U000e0041"),
        ("  ::error::x", r"  \x3a:error::x", r"  \x3a:error::x"),
        ("a\n ::error::x", r"a\n ::error::x", "a\n \\x3a:error::x"),
        ("a::b", "a::b", "a::b"),
        ("x ##[error]", r"x \x23#[error]", r"x \x23#[error]"),
        ("## [link](y)", "## [link](y)", "## [link](y)"),
        ("⚠️ naïve 漢字 \xa0 \ufffd", "⚠️ naïve 漢字 \xa0 \ufffd", "⚠️ naïve 漢字 \xa0 \ufffd"),
    ],
)
def test_escapes_have_a_readable_form(text: str, line: str, block: str) -> None:
    assert (safe.line(text), safe.block(text)) == (line, block)


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(some_text)
def test_escaped_html_is_only_text_or_attribute(text: str) -> None:
    page = Seen()
    page.feed(f'<p title="{safe.html(text)}">{safe.html(text)}</p>')
    page.close()
    assert page.tags == [("p", [("title", safe.block(text))])]
    assert page.text == safe.block(text)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_in_each_format(text: str) -> None:
    for form in (safe.line, safe.block, safe.html):
        shown = form(text)
        assert invisible_in(shown) <= {"\n"}
        assert commands_in(shown) == []


# Hyperlinks: no address can end its sequence, or show another host than it opens.

TASK = "https://app.pulumi.com/acme/neo/tasks/0de65a14"


def test_a_text_opens_an_address() -> None:
    assert linked("one", TASK) == f"\x1b]8;;{TASK}\x1b\\one\x1b]8;;\x1b\\"
    assert Style(links=True).link("one", TASK) == linked("one", TASK)
    assert Style().link("one", TASK) == "one"
    assert Style(links=True).link("one", None) == "one"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8765/acme/neo/tasks/1", "http://127.0.0.1:8765/acme/neo/tasks/1"),
        ("http://[::1]:8765/a", "http://[::1]:8765/a"),
        ("https://a.example/b?c=d&e=f;g#h", "https://a.example/b?c=d&e=f;g#h"),
        ("https://a.example/%41 b", "https://a.example/%41%20b"),
        ("https://a.example/\x1b\\\x1b]0;x\x07", "https://a.example/%1B%5C%1B%5D0;x%07"),
        ("https://a.example/\x9c\n\r\t\x00", "https://a.example/%C2%9C%0A%0D%09%00"),
        ("https://a.example/\u202ecod.exe", "https://a.example/%E2%80%AEcod.exe"),
        ("https://a.example/\ud800", "https://a.example/?"),
        ("https://github.com@evil.example/", ""),
        ("https://user:word@a.example/", ""),
        ("https://a.example\\@b.example/", ""),
        ("https://\u0430pple.example/", ""),
        ("https://a.example:99999999/", ""),
        (" https://a.example/", ""),
        ("https:///a", ""),
        ("https://", ""),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("ssh://a.example/", ""),
        ("HTTPS\x1b://a.example/", ""),
        ("https://a.example/" + "a" * 3000, ""),
        ("", ""),
    ],
)
def test_only_addresses_of_web_pages_are_links(url: str, address: str) -> None:
    assert web_address(url) == address
    assert (linked("text", url) == "text") is (not address)


@given(st.sampled_from(["https://a.example/", "https://", ""]), st.text())
def test_nothing_in_an_address_ends_its_sequence(start: str, rest: str) -> None:
    found = linked("text", start + rest)
    head, text, end = found.partition("text")
    assert cells.without_markup(found) == text
    if head:
        inside = head.removeprefix("\x1b]8;;").removesuffix("\x1b\\")
        assert re.fullmatch(r"https://[!-~]+", inside)
        assert end == "\x1b]8;;\x1b\\"


def test_a_hyperlink_occupies_no_columns() -> None:
    rows = [("KEY", "STATUS"), (linked("one", TASK), Palette(on=True).red("failed"))]
    head, row = cells.table_rows(rows)
    assert (head, cells.without_markup(row)) == ("KEY  STATUS", "one  failed")
    assert cells.width(linked("界", TASK)) == 2
