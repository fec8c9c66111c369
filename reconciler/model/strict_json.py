"""JSON as RFC 8259 defines it, without what Python's reader also accepts. Pure.

Schemas and the answers of agents must have one meaning, so nothing in them is guessed.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from math import isfinite
from typing import Any

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.remarks import Arg, RemarkError

MAX_DIGITS = 100  # characters of a number

# It must not backtrack over a long text, because agents write the text.
_TOKEN = re.compile(
    r'(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+"?)(?P<name>[ \t\r\n]*+:)?|[\[{]|[\]}]|[-+.\w]++',
    re.DOTALL,
)
_LONG = re.compile(rf"[-+.\w]{{{MAX_DIGITS + 1}}}")
_CONSTANTS = ("NaN", "Infinity", "-Infinity")


class JsonError(RemarkError):
    """A text is not JSON: the reason, and the offset."""

    def __init__(self, code: Code, offset: int, case: str = "", /, **facts: Arg) -> None:
        super().__init__(code, case, **facts)
        self.offset = offset


def read_strict_json(text: str) -> Any:
    """The value of a JSON text. Raises JsonError, also for a duplicate name, for a number that is
    infinite or too long, and for too many levels, before anything is built."""
    if text.count("[") + text.count("{") <= limits.YAML_DEPTH and _LONG.search(text) is None:
        with suppress(ValueError):  # on an error, the search below finds its location
            return json.loads(
                text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite
            )
    names: list[dict[str, int]] = []
    for match in _TOKEN.finditer(text):
        token, at = match[0], match.start()
        if match["name"]:
            if names:
                _add_name(names[-1], match["text"], at, text)
        elif token in ("[", "{"):
            names.append({})
            if len(names) > limits.YAML_DEPTH:
                raise JsonError(Code.EXCESSIVE_NESTING, at, limit=limits.YAML_DEPTH)
        elif token in ("]", "}"):
            del names[-1:]
        elif not match["text"]:
            _check_number(token, at)
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        reason = problem.msg[:1].lower() + problem.msg[1:]
        raise JsonError(Code.INVALID_YAML, problem.pos, "json", reason=reason) from problem


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _finite(token: str) -> float:
    number = float(token)
    if not isfinite(number):
        raise ValueError
    return number


def _add_name(names: dict[str, int], token: str, at: int, text: str) -> None:
    try:
        name = json.loads(token) if "\\" in token else token[1:-1]
    except ValueError:
        return  # reading the text finds it again
    if name in names:
        first = text.count("\n", 0, names[name]) + 1
        raise JsonError(Code.DUPLICATE_KEY, at, first_line=first)
    names[name] = at


def _check_number(token: str, at: int) -> None:
    if token in _CONSTANTS:
        raise JsonError(Code.INVALID_NUMBER, at, "special", text=token)
    if token[0] not in "-0123456789":
        return
    if len(token) > MAX_DIGITS:
        raise JsonError(Code.INVALID_NUMBER, at, "digits", digits=len(token))
    try:
        is_infinite = float(token) in (float("inf"), float("-inf"))
    except ValueError:
        return
    if is_infinite:
        raise JsonError(Code.INVALID_NUMBER, at, "large", text=token)
