"""Plain data -> the YAML of a manifest: readable, exact, and inert, whatever the texts contain.

`parse/source.py` reads every value back unchanged. It is a plain word, a block with `|`, or in
double quotes with escapes for invisible and control characters. No value can become an anchor, a
tag or a comment.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from reconciler.manifest.layout import STEP
from reconciler.manifest.parse import scalars

_WORDS_OF_YAML_1_1 = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_PLAIN = re.compile(r"[^\W\d_](?:[^\n\t:#]|:(?=[^\s:])|(?<=[^\s#])#(?!#))*")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # text in YAML 1.1 too
_COMMAND = re.compile(r"::|##")  # a line with it may be a command to a workflow runner
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0e\uffa0]")


def mapping_lines(values: Mapping[str, object], column: int) -> list[str]:
    """The lines of a block mapping whose keys are in `column` (from 0); `values` is JSON."""
    lines: list[str] = []
    for name, value in values.items():
        lines += _item(" " * column + scalar(name) + ":", value, column)
    return lines


def scalar(value: object) -> str:
    """A value other than a collection, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    return value if _is_plain(value) else f'"{_escaped(value)}"'


def _item(head: str, value: object, column: int) -> list[str]:
    """The lines of a key or a dash (`head`) and its value; `column` is that of the collection."""
    inner = column + STEP
    if isinstance(value, str) and "\n" in value:
        first, *more = _block(value, inner) if _is_block(value) else _folded(value, inner)
        return [f"{head} {first}", *more]
    if isinstance(value, Mapping):
        return [head, *mapping_lines(value, inner)] if value else [f"{head} {{}}"]
    if isinstance(value, list | tuple):
        return [head, *_list_lines(value, inner)] if value else [f"{head} []"]
    return [f"{head} {scalar(value)}"]


def _list_lines(values: list[object] | tuple[object, ...], column: int) -> list[str]:
    lines: list[str] = []
    dash = " " * column + "-"
    for value in values:
        if isinstance(value, Mapping) and value:
            first, *more = mapping_lines(value, column + STEP)
            lines += [f"{dash} {first[column + STEP :]}", *more]
        else:
            lines += _item(dash, value, column)
    return lines


def _is_plain(text: str) -> bool:
    return _UUID.fullmatch(text) is not None or (
        text.lower() not in _WORDS_OF_YAML_1_1
        and _PLAIN.fullmatch(text) is not None
        and not text.endswith(" ")
        and scalars.plain(text) == text
        and not _hides(text)
    )


def _is_block(text: str) -> bool:
    """Whether the text can be a block with `|`: only visible characters, and text in the last
    line."""
    last = text.removesuffix("\n").rpartition("\n")[2]
    bare = text.replace("\n", "").replace("\t", "")
    return bool(last.strip()) and not _COMMAND.search(text) and not _hides(bare)


def _block(text: str, column: int) -> list[str]:
    head = "|" + (str(STEP) if text[0] in " \t\n" else "") + ("" if text[-1] == "\n" else "-")
    pad = " " * column
    return [head, *(pad + line if line else "" for line in text.removesuffix("\n").split("\n"))]


def _folded(text: str, column: int) -> list[str]:
    """In double quotes, with a line for each line of the text: a backslash at its end escapes the
    line break, in addition to the escaped line feed before it."""
    rows = [_escaped(line) for line in text.removesuffix("\n").split("\n")]
    more = [" " * column + ("\\" if row.startswith(" ") else "") + row for row in rows[1:]]
    end = '\\n"' if text.endswith("\n") else '"'
    return ("\\n\\\n".join([f'"{rows[0]}', *more]) + end).split("\n")


def _escaped(text: str) -> str:
    text = "".join(
        f"\\{char}" if char in '"\\' else _escape(char) if _is_hidden(char) else char
        for char in text
    )
    return _COMMAND.sub(lambda found: "\\x3a:" if found[0] == "::" else "\\x23#", text)


def _escape(char: str) -> str:
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _hides(text: str) -> bool:
    if text.isascii():
        return not text.isprintable()
    return any(_is_hidden(char) for char in set(text))


@cache
def _is_hidden(char: str) -> bool:
    """Whether a character is invisible, moves others, or may not be in a manifest unescaped.

    U+FE0F is fine: it only makes a symbol an emoji.
    """
    return (
        unicodedata.category(char) in _HIDDEN
        or _IGNORABLE.match(char) is not None
        or 0xE0000 <= ord(char) <= 0xE0FFF
    )
