"""The core schema of YAML 1.2; forms that only YAML 1.1 has are text."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.parse.scalars import CORE, plain, spelled
from reconciler.model.codes import Code
from reconciler.model.remarks import RemarkError


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_values_are_null(text: str) -> None:
    assert plain(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((t, True) for t in ("true", "True", "TRUE")),
        *((t, False) for t in ("false", "False", "FALSE")),
        ("0", 0),
        ("010", 10),
        ("-7", -7),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e-3", -0.0015),
        ("+12E03", 12000.0),
        ("1e3", 1000.0),
        ("-0", 0),
    ],
)
def test_plain_scalars_have_a_type(text: str, value: object) -> None:
    read = plain(text)
    assert (type(read), read) == (type(value), value)


TEXTS = """
on off yes no y n tRUE nULL 1_000 0b1 0o8 0xG -0x1 1__0 12:30:45 2026-11-24 1e . .. +. -
.e3 e3 .Nan .iNF ٣ 1.2.3 0.0.0.0 =
"""


@pytest.mark.parametrize("text", TEXTS.split())
def test_other_plain_scalars_are_text(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    "text", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", ".NAN", "1e999", "-1e999", "9" * 401]
)
def test_numbers_that_json_cannot_hold_are_rejected(text: str) -> None:
    with pytest.raises(RemarkError) as caught:
        plain(text)
    assert caught.value.code is Code.INVALID_NUMBER


def test_tags_are_spelled_as_written() -> None:
    assert spelled(CORE + "set") == "!!set"
    assert spelled("!mine") == "!mine"
    assert spelled("tag:example.org:x") == "!<tag:example.org:x>"


@given(st.integers())
def test_every_integer_is_read(number: int) -> None:
    assert plain(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read(number: float) -> None:
    assert plain(repr(number)) == number


@given(st.text())
def test_any_text_is_a_value_or_an_error(text: str) -> None:
    with suppress(RemarkError):
        assert plain(text) is None or isinstance(plain(text), bool | int | float | str)
