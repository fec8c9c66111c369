"""Hyperlinks: no address can end its sequence, or show another host than it opens."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.render import cells
from reconciler.render.safe import linked, web_address
from reconciler.render.style import Palette, Style

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
