"""The text of a TOML file: its values, and the lines and columns of problems, which tomllib gives
only for syntax errors."""

from __future__ import annotations

import re
from typing import NamedTuple

from reconciler.manifest.credentials import may_have_credentials
from reconciler.model.codes import Code
from reconciler.model.diagnostics import (
    Diagnostic,
    Excerpt,
    Place,
    Severity,
    TaskctlError,
    error,
)
from reconciler.model.remarks import Arg, RemarkError
from reconciler.model.value import replace

_MAX_PARTS = 30
_MAX_SHOWN = 200  # characters
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_LONG_KEY = rf"(?<![\w.-])(?:{_PART}){{{_MAX_PARTS}}}"
"""A dotted key. For each part, the library copies all parts before it."""

_SETTING = re.compile(
    r"""[ \t]*+(?P<table>\[*+)[ \t]*+(?P<key>[\w-]++|"[^"]*+"|'[^']*+')"""
    r"""(?:[ \t.][^=]*+)?(?:=[ \t]*+(?P<value>"(?:[^"\\]|\\.)*+"|'[^']*+'|[^#]*+))?"""
)
"""A line that sets a key or begins a table."""

_SYNTAX = (
    ("cannot (?:overwrite|mutate|declare)", "duplicate"),
    ("invalid value|invalid hex value", "value"),
    ("expected newline or end of document", "end"),
    ("expected '=' after a key", "equals"),
    ("invalid statement", "statement"),
    (r"unterminated string|illegal character '\\n'|expected '\"|expected \"", "quote"),
    ("unclosed array|unclosed inline table", "bracket"),
)
"""A pattern in a message of tomllib, and its case of TC805; the first match counts."""


class Span(NamedTuple):
    """A part of a line; `line` and `column` count from 1."""

    line: int
    column: int
    width: int


class TomlSource:
    """A file with this name and content. Raises TaskctlError if that is not UTF-8."""

    def __init__(self, data: bytes, file: str) -> None:
        self._file = file
        try:
            self._text = data.decode("utf-8-sig")
        except UnicodeDecodeError as problem:
            raise TaskctlError(
                [error(Code.INVALID_CONFIG, "encoding", at=Place(file))]
            ) from problem
        self._lines = self._text.split("\n")
        self._keys: dict[str, list[Span]] = {}
        self._values: dict[str, Span] = {}
        for number, line in enumerate(self._lines, 1):
            if (found := _SETTING.match(line)) is not None:
                self._add(number, found)

    def _add(self, line: int, found: re.Match[str]) -> None:
        key = found["key"].strip("\"'")
        self._keys.setdefault(key, []).append(_span(line, found, "key"))
        if found["value"]:
            self._values.setdefault(key, _span(line, found, "value"))

    def table(self) -> dict[str, object]:
        """The values. Raises TaskctlError if the file is invalid."""
        import tomllib

        if re.search(_LONG_KEY, self._text):
            at = Place(self._file)
            raise TaskctlError([error(Code.INVALID_CONFIG, "parts", at=at, most=_MAX_PARTS)])
        try:
            return tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as problem:
            raise TaskctlError([self._syntax_error(str(problem))]) from problem
        except (ValueError, RecursionError) as problem:
            at = Place(self._file)
            raise TaskctlError([error(Code.INVALID_CONFIG, "extreme", at=at)]) from problem

    def problem_of_key(self, code: Code, case: str, key: str, **facts: Arg) -> Diagnostic:
        spans = self._keys.get(key, [])
        problem = error(code, case, at=Place(path=(key,)), **facts)
        return self._at(problem, spans[0] if spans else None)

    def problem_of_value(self, problem: RemarkError, key: str) -> Diagnostic:
        at = Place(path=(key,))
        found = Diagnostic(problem.code, Severity.ERROR, problem.case, problem.facts, at)
        return self._at(found, self._values.get(key))

    def problem_of_item(self, problem: Diagnostic, key: str, item: str) -> Diagnostic:
        """The problem, located at a text in the value of a key."""
        span = self._values.get(key)
        if span is not None:
            text = re.compile(f"([\"'])(?:\\./)?{re.escape(item)}/?\\1")
            for number, line in enumerate(self._lines[span.line - 1 :], span.line):
                if (found := text.search(line)) is not None:
                    span = _span(number, found, 0)
                    break
        return self._at(replace(problem, at=Place(path=(key,))), span)

    def _at(self, problem: Diagnostic, span: Span | None) -> Diagnostic:
        """The problem, located at a part of the file; with that line unless the file may have
        credentials."""
        if span is None:
            return replace(problem, at=replace(problem.at, file=self._file))
        at = replace(problem.at, file=self._file, line=span.line, column=span.column)
        text, begin = self._lines[span.line - 1].rstrip("\r"), span.column - 1
        parts = text[:begin], text[begin : begin + span.width], text[begin + span.width :]
        if not text.strip() or may_have_credentials(self._text):
            return replace(problem, at=at)
        before, marked, after = parts
        shown = Excerpt(before[-_MAX_SHOWN:], marked[:_MAX_SHOWN], after[:_MAX_SHOWN])
        return replace(problem, at=at, excerpt=shown)

    def _syntax_error(self, message: str) -> Diagnostic:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message)
        what, line, column = found.groups() if found else (message, None, None)
        patterns = (case for pattern, case in _SYNTAX if re.match(pattern, what, re.IGNORECASE))
        case, why = next(patterns, "toml"), what[:1].lower() + what[1:]
        number = min(int(line or len(self._lines)), len(self._lines))
        text = self._lines[number - 1]
        begin = min(int(column or len(text) + 1), len(text) + 1)
        if case == "duplicate":
            return self._duplicate(number, why)
        if case == "bracket" and self._values:
            return self._at(_error(case), list(self._values.values())[-1])
        if case == "equals" and (setting := _SETTING.match(text)) is not None:
            return self._at(_error(case), _span(number, setting, "key"))
        word = re.compile(r"[^\s,\]}]+").match(text, begin - 1)
        return self._at(_error(case, why=why), Span(number, begin, len(word[0]) if word else 1))

    def _duplicate(self, line: int, why: str) -> Diagnostic:
        for spans in self._keys.values():
            for span in spans[1:]:
                if span.line == line:
                    return self._at(_error("duplicate", first_line=spans[0].line), span)
        return self._at(_error("toml", why=why), Span(line, 1, len(self._lines[line - 1])))


def _error(case: str, **facts: Arg) -> Diagnostic:
    return Diagnostic(Code.INVALID_CONFIG, Severity.ERROR, case, facts)


def _span(line: int, found: re.Match[str], name: str | int) -> Span:
    return Span(line, found.start(name) + 1, max(1, len(found[name].rstrip())))
