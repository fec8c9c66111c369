"""JSON values: canonical form, digests, the texts in them, absent fields; escaping of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, json

if TYPE_CHECKING:
    from json import JSONEncoder


@cache
def _encoder() -> JSONEncoder:
    from json import JSONEncoder  # takes a millisecond, and `taskctl validate` rarely needs it

    return JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def json_value(text: str) -> Any:
    """Decodes JSON that is part of the package. Avoids the import of the standard library's `json`,
    which takes a millisecond, for `taskctl validate`."""
    return json.decode(text)


def canonical_json(value: object) -> bytes:
    """JSON in UTF-8 with sorted keys and without white space: equal values give equal bytes."""
    text = _encoder().encode(value)
    return text.encode("utf-8", "surrogatepass")


def digest(value: object) -> str:
    """`sha256:` and the hex SHA-256 of the canonical JSON."""
    import hashlib  # starts OpenSSL, and `taskctl validate` rarely needs a digest

    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def map_texts(change: Callable[[str], str], value: object, *, names: bool = False) -> Any:
    """The value with `change` applied to each text; with `names`, also to the names of members."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        items = value.items()
        return {
            change(name) if names else name: map_texts(change, inner, names=names)
            for name, inner in items
        }
    if isinstance(value, list | tuple):
        return [map_texts(change, inner, names=names) for inner in value]
    return value


def texts_in(value: object, *, names: bool = False) -> Iterator[str]:
    """All texts in a value; with `names`, also the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        if names and isinstance(value, Mapping):
            yield from value
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(inner, names=names)


ABSENT = UNSET
"""The value of an absent field, where None means null."""

INVISIBLE = (
    r"\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    r"\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff"
    r"\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The characters that are invisible or reorder text, for a character class: controls (except line
feeds), surrogates, format characters, line and paragraph separators, and Unicode's default
ignorable characters, except U+FE0F, which only turns a sign into an emoji."""

_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, hidden: str = INVISIBLE) -> str:
    r"""The text, in which the characters of the class `hidden` are escaped as in YAML and Python:
    `\n`, `\x1b`, `\u202e`, `\U000e0001`."""
    return re.sub(f"[{hidden}]", _escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in _NAMED:
        return _NAMED[found[0]]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
