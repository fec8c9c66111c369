"""The parsers' syntax errors as cases of one code, the same for both parsers."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError

from reconciler.manifest.finding import NO_FACTS, Facts, Finding, finding
from reconciler.model.codes import Code

_CASES = (
    ("mapping values are not allowed", "colon"),
    ("flow sequence", "list"),
    ("flow mapping", "mapping"),
    ("scanning a quoted scalar", "quote"),
    ("quoted scalar", "escape"),
    ("simple key", "key"),
    ("parsing a block mapping", "indentation"),
    ("parsing a block collection", "item"),
    ("sequence entries are not allowed", "dash"),
    ("mapping keys are not allowed", "question"),
    ("tab character", "tab"),
    ("block scalar", "block"),
    ("node content", "value"),
    ("tag", "tag"),
    ("document (?:start|end)", "document"),
    ("directive|YAML document|version", "directive"),
)
"""What a complaint of either parser contains, and the case that it is."""

_AFTER_A_VALUE = ("indentation", "list", "mapping")
_ESCAPED = {'"': '\\"', "'": "''"}
"""How a quote is written within quotes of its own kind."""

_ANCHOR = re.compile("scanning an (?:anchor|alias)")
_LOCATED_AT_START = re.compile("quoted scalar|simple key")


def is_gap_of_c_parser(error: Exception) -> bool:
    """Whether the C parser may only lack a part of YAML 1.2: it rejects `[10:30, http://host]` and
    `{message: Why?}`, which are valid."""
    return re.search("unexpected ':'|expected ',' or", _complaint(error)) is not None


def syntax_error(error: Exception, body: bytes) -> Finding:
    """What a parser raised, located where a reader would look for it."""
    text = body.decode("utf-8", "replace")
    lines = re.split("\r\n|\r|\n", text)
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    end = (len(lines) - 1, len(lines[-1]))
    at_end = (line, column) >= end
    case, facts = _case(error, lines, *min((line, column), end))
    if begin is not None and (at_end or _LOCATED_AT_START.search(_complaint(error))):
        line, column = begin.line, begin.column
    line, column = min((line, column), end)  # the end is where the last line ends
    if _ANCHOR.search(_complaint(error)) and begin is not None:
        position = (begin.line + 1, begin.column + 1)
        return finding(Code.INVALID_ALIAS, (), "name", position=position)
    return finding(Code.INVALID_YAML, (), case, facts, position=(line + 1, column + 1))


def _case(error: Exception, lines: list[str], line: int, column: int) -> tuple[str, Facts]:
    complaint = _complaint(error)
    if re.search(r"[:{,\[]\s*[^\"'#]*\{\{", lines[line][: column + 2]):
        return "template", NO_FACTS
    if "cannot start any token" in complaint:
        found = lines[line][column : column + 1]
        return ("tab", NO_FACTS) if found == "\t" else ("start", {"character": found})
    for pattern, case in _CASES:
        if re.search(pattern, complaint):
            quote = lines[line][column - 1 : column] if case in _AFTER_A_VALUE else ""
            if escaped := _ESCAPED.get(quote):
                return "inner-quote", {"escaped": escaped}
            return case, NO_FACTS
    return "", NO_FACTS


def _complaint(error: object) -> str:
    if isinstance(error, MarkedYAMLError):
        problem = re.sub(" but (?:found|got) .*", "", str(error.problem or ""))
        return f"{error.context or ''}: {problem}"
    return str(error)
