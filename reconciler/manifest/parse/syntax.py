"""The parsers' complaints about a file's form in words of our own: the same for both parsers."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml.error import MarkedYAMLError

from reconciler.manifest.problem import Problem

_TAB = "a tab cannot indent; use spaces"
_FALLBACK = "this is not YAML; quote it if it is text"

_WORDINGS = (
    ("mapping values are not allowed", "a `:` is not expected here; quote the text it is part of"),
    ("flow sequence", "a list that begins with `[` lacks a comma or its `]`"),
    ("flow mapping", "a mapping that begins with `{` lacks a comma or its `}`"),
    ("scanning a quoted scalar", "a quoted text lacks its closing quote"),
    ("quoted scalar", "a `\\` begins an escape that YAML does not have; write it twice"),
    ("simple key", "a key lacks its `:`"),
    ("parsing a block mapping", "the indentation is wrong, or a key lacks its `:`"),
    ("parsing a block collection", "the indentation is wrong, or an item lacks its `-`"),
    ("sequence entries are not allowed", "a list cannot begin here; give it a line of its own"),
    ("mapping keys are not allowed", "`?` cannot stand here; quote the text it is part of"),
    ("tab character", _TAB),
    ("anchor|alias", "`&` begins an anchor and `*` an alias; quote the text"),
    ("block scalar", "behind `|` or `>` only `+`, `-` and an indentation can stand"),
    ("node content", "a value is missing here, or begins with a character that needs quotes"),
    ("tag", "`!` begins a tag; quote the text"),
    ("document (?:start|end)", "nothing can stand here but a new document, after `---`"),
    ("directive|YAML document|version", "a line that begins with `%` cannot be understood"),
)

_SHOWN_WHERE_IT_BEGINS = re.compile("quoted scalar|simple key")


def is_gap_of_c_parser(error: Exception) -> bool:
    """Whether it may only lack YAML 1.2 there: `[10:30, http://host]` and `{message: Why?}` it
    takes for badly written."""
    return re.search("unexpected ':'|expected ',' or", _complaint(error)) is not None


def syntax_problem(error: Exception, body: bytes) -> Problem:
    """What a parser raised, at the place where a reader would look for it."""
    text = body.decode("utf-8", "replace")
    lines = re.split("\r\n|\r|\n", text)
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    end = (len(lines) - 1, len(lines[-1]))
    at_end = (line, column) >= end
    what = _worded(error, lines, *min((line, column), end))
    if begin is not None and (at_end or _SHOWN_WHERE_IT_BEGINS.search(_complaint(error))):
        line, column = begin.line, begin.column
    line, column = min((line, column), end)  # the end is where the last line ends
    return Problem((), what, shown_path=("YAML",), line=line + 1, column=column + 1)


def _worded(error: Exception, lines: list[str], line: int, column: int) -> str:
    complaint = _complaint(error)
    if "cannot start any token" in complaint:
        found = lines[line][column : column + 1]
        return _TAB if found == "\t" else f"a text cannot begin with `{found}`; quote it"
    for pattern, words in _WORDINGS:
        if re.search(pattern, complaint):
            return words
    return _FALLBACK


def _complaint(error: Any) -> str:
    if isinstance(error, MarkedYAMLError):
        problem = re.sub(" but (?:found|got) .*", "", str(error.problem or ""))
        return f"{error.context or ''}: {problem}"
    return str(error)
