"""Reads JSON as defined by RFC 8259, without the extensions that Python's `json` accepts. Pure.

Schemas and the answers of agents must be unambiguous, so duplicate names are errors, too.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, NoReturn

from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.remarks import Arg, RemarkError

MAX_DIGITS = 100  # characters of a number

# Possessive, because agents may write long texts, for which backtracking takes too long.
_TEXT_OR_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{\]}]', re.DOTALL)


class JsonError(RemarkError):
    """A text is not valid JSON; `offset` is the position of a syntax error."""

    def __init__(self, code: Code, case: str = "", /, *, offset: int = 0, **facts: Arg) -> None:
        super().__init__(code, case, **facts)
        self.offset = offset


def read_strict_json(text: str) -> Any:
    """The value of a JSON text. Raises JsonError, also for a duplicate name, a number that is
    infinite or too long, and too many levels (before any value is built)."""
    depth = 0
    for match in _TEXT_OR_BRACKET.finditer(text):
        depth += (match[0] in ("[", "{")) - (match[0] in ("]", "}"))
        if depth > limits.YAML_DEPTH:
            raise JsonError(Code.EXCESSIVE_NESTING, limit=limits.YAML_DEPTH)
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_constant,
            parse_float=_number,
            parse_int=_integer,
        )
    except json.JSONDecodeError as problem:
        reason = problem.msg[:1].lower() + problem.msg[1:]
        raise JsonError(Code.INVALID_YAML, "json", offset=problem.pos, reason=reason) from problem


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise JsonError(Code.DUPLICATE_KEY, first_line=1)
    return found


def _constant(token: str) -> NoReturn:
    raise JsonError(Code.INVALID_NUMBER, "special", text=token)


def _number(token: str) -> float:
    if len(token) > MAX_DIGITS:
        raise JsonError(Code.INVALID_NUMBER, "digits", digits=len(token))
    number = float(token)
    if not isfinite(number):
        raise JsonError(Code.INVALID_NUMBER, "large", text=token)
    return number


def _integer(token: str) -> int:
    _number(token)
    return int(token)
