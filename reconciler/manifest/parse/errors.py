"""The reasons why a text cannot be read: its encoding, its characters, or its YAML syntax.

Syntax errors are cases of one code, the same for both parsers.
"""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError

from reconciler.manifest.finding import NO_FACTS, Facts, Finding
from reconciler.manifest.parse.spans import LineIndex
from reconciler.model.codes import Code

BOM = b"\xef\xbb\xbf"

_CONTROL = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D}) + b"\x7f"
_UNPRINTABLE = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
_ESCAPES = {"\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}
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
    ("directive|duplicate tag handle|YAML document|version", "directive"),
    ("tag", "tag"),
    ("document (?:start|end)", "document"),
)
"""A pattern in the message of either parser, and its case; the first match counts."""

_AFTER_A_VALUE = ("indentation", "list", "mapping")
_ESCAPED = {'"': '\\"', "'": "''"}
"""Each kind of quote, as it is escaped within quotes of the same kind."""

_KEY_CHARACTERS = 1_024
"""The maximum length of a key without `?` in YAML."""

_LAST_KEY = r"""(?:"(?:[^"\\]|\\.)*+"|'(?:[^']|'')*+'|[^\s,{}\[\]"'][^,{}\[\]]*+)[ \t]*$"""


def check_encoding(body: bytes, *, yaml: bool = False) -> Finding | None:
    """The first problem with the encoding or characters of a text, located; None if there is none.

    `body` has no byte order mark. `yaml`: the text is YAML, which can escape some characters.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Finding(Code.INVALID_ENCODING, (), "utf-16", position=(1, 1))
    if body.isascii() and len(body.translate(None, _CONTROL)) == len(body):
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before, byte = body[: error.start].decode("utf-8"), f"0x{body[error.start]:02x}"
        at = LineIndex(before).position(len(before))
        return Finding(Code.INVALID_ENCODING, (), "", {"byte": byte}, position=at)
    match = re.search(_UNPRINTABLE, text)
    if match is None:
        return None
    escape = _ESCAPES.get(match[0]) if yaml else None
    case = "" if escape is None else "escape"
    facts: Facts = {"character": f"U+{ord(match[0]):04X}", "escape": escape}
    at = LineIndex(text).position(match.start())
    return Finding(Code.INVALID_CHARACTER, (), case, facts, position=at)


def may_be_valid(error: Exception) -> bool:
    """Whether the C parser may have rejected valid YAML 1.2, such as `[10:30, http://host]` or
    `{message: Why?}`."""
    return re.search("unexpected ':'|expected ',' or", _message(error)) is not None


def syntax_error(error: Exception, body: bytes) -> Finding:
    """The finding for a parser's exception, at the most helpful location."""
    lines = re.split("\r\n|\r|\n", body.decode("utf-8", "replace"))
    for number, text in enumerate(lines, 1):
        if re.match(r"(?:<{7}|\|{7}|>{7}) ", text):  # a conflict marker of git
            return Finding(Code.INVALID_YAML, (), "conflict", position=(number, 1))
    mark, begin = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    message = _message(error)
    if begin is not None and re.search("scanning an (?:anchor|alias)", message):
        position = (begin.line + 1, begin.column + 1)
        return Finding(Code.INVALID_ALIAS, (), "name", position=position)
    at = (mark.line, mark.column) if mark is not None else (0, 0)
    end = (len(lines) - 1, len(lines[-1]))
    if (start := _long_key(lines, *min(at, end))) is not None:
        position = (at[0] + 1, start + 1)
        return Finding(
            Code.INVALID_YAML, (), "longKey", {"limit": _KEY_CHARACTERS}, position=position
        )
    case, facts = _case(message, lines, *min(at, end))
    if begin is not None and (
        at >= end or re.search("quoted scalar|simple key|unknown directive", message)
    ):
        at = begin.line, begin.column
    line, column = min(at, end)
    return Finding(Code.INVALID_YAML, (), case, facts, position=(line + 1, column + 1))


def _long_key(lines: list[str], line: int, column: int) -> int | None:
    """The column (from 0) of a key that is too long, if that is why there is an error at its
    colon."""
    if column <= _KEY_CHARACTERS or lines[line][column : column + 1] != ":":
        return None
    key = re.search(_LAST_KEY, lines[line][:column])
    return key.start() if key is not None and len(key[0]) > _KEY_CHARACTERS else None


def _case(message: str, lines: list[str], line: int, column: int) -> tuple[str, Facts]:
    if re.search(r"[:{,\[][^\"'#:{,\[]*\{\{", lines[line][: column + 2]):
        return "template", NO_FACTS
    if "cannot start any token" in message:
        found = lines[line][column : column + 1]
        return ("tab", NO_FACTS) if found == "\t" else ("start", {"character": found})
    case = next((case for pattern, case in _CASES if re.search(pattern, message)), "")
    if case == "colon" and re.fullmatch(r"\s+[\w.-]+", lines[line][:column]):
        return "deeper", NO_FACTS  # the line continues the text before it
    if case in _AFTER_A_VALUE and (escaped := _ESCAPED.get(lines[line][column - 1 : column])):
        return "inner-quote", {"escaped": escaped}
    return case, NO_FACTS


def _message(error: object) -> str:
    if isinstance(error, MarkedYAMLError):
        problem = re.sub(" but (?:found|got) .*", "", str(error.problem or ""))
        return f"{error.context or ''}: {problem}"
    return str(error)
