from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.remote.sanitize import Scrubber, bare_url, shown_text
from tests.support.escaping import invisible_in


@given(st.text(), st.integers(4, 100))
def test_shown_text_is_one_printable_line_of_limited_length(text: str, limit: int) -> None:
    line = shown_text(text, limit)
    assert not invisible_in(line)
    assert len(line) <= limit


def test_shown_text_is_folded_and_escaped() -> None:
    assert shown_text("a\r\n  b\x1b[0m \u202e c") == r"a b\x1b[0m \u202e c"
    assert shown_text("x" * 500, 10) == "xxxxxxx..."


def test_a_bare_url_contains_no_secret() -> None:
    assert bare_url("https://u:p@h.test:8/a?t=1#f") == "https://h.test:8/a"
    assert bare_url("/login?t=1") == "/login"
    assert bare_url("http://[") == "an invalid URL"
    assert bare_url("") == ""
    assert bare_url("http://user:pa/ss@proxy.test:8080") == "http://proxy.test:8080"


def test_secrets_are_removed_in_every_spelling() -> None:
    scrub = Scrubber("pul-a/b c", "", "short")
    assert scrub("x pul-a/b c y") == "x [REDACTED] y"
    assert scrub("?t=pul-a%2Fb%20c&u=pul-a%2Fb+c") == "?t=[REDACTED]&u=[REDACTED]"
    assert scrub("a short word") == "a short word"
    assert "pul" not in repr(scrub)


@pytest.mark.parametrize(
    ("token", "spelled"),
    [
        ("pul-a/b", r"pul-a\/b"),
        ('pul-"ab', r"pul-\"ab"),
        ("pul-\\ab", r"pul-\\ab"),
        ("pul-abc", r"pul-\u0061bc"),
    ],
)
def test_a_token_is_removed_from_json_in_every_escaping(token: str, spelled: str) -> None:
    body = f'{{"a": "x {spelled}"}}'.encode()
    data = json.loads(body)
    assert data == {"a": f"x {token}"}
    assert Scrubber(token).values(data, body) == {"a": "x [REDACTED]"}
