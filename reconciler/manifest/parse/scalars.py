"""Plain scalars -> values, by the core schema of YAML 1.2 (section 10.3.2), without YAML 1.1.

So `on`, `no`, `1_000` and dates are text, and `010` is ten.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from reconciler.model.codes import Code
from reconciler.model.remarks import RemarkError

Scalar = None | bool | int | float | str

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_FIRST = frozenset("+-.0123456789")
_MAX_DIGITS = 400

CORE = "tag:yaml.org,2002:"


def plain(text: str) -> Scalar:
    """The value of an untagged plain scalar. RemarkError for numbers that JSON cannot hold."""
    if text in NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return _number(text) if text[0] in _FIRST else text


def spelled(tag: str) -> str:
    """A tag in its YAML notation: `!!set`, `!local`, `!<tag:example.com,2026:x>`."""
    if tag.startswith(CORE):
        return f"!!{tag.removeprefix(CORE)}"
    return tag if tag.startswith("!") else f"!<{tag}>"


def _number(text: str) -> Scalar:
    for pattern, read in _FORMS:
        if re.fullmatch(pattern, text):
            if len(text) > _MAX_DIGITS:
                raise RemarkError(Code.INVALID_NUMBER, "digits", digits=len(text))
            return read(text)
    return text


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise RemarkError(Code.INVALID_NUMBER, "large", text=text)
    return value


def _special(text: str) -> float:
    raise RemarkError(Code.INVALID_NUMBER, "special", text=text)


_FORMS: tuple[tuple[str, Callable[[str], Scalar]], ...] = (
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text[2:], 8)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text[2:], 16)),
    (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", _finite),
    (r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", _special),
)
"""Compiled on first use: most files have few numbers."""
