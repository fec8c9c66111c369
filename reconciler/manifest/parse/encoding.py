"""Bytes that can be read as text: the encoding and characters of a manifest or a prompt file."""

from __future__ import annotations

import re

from reconciler.manifest.finding import NO_FACTS, Facts, Finding, finding
from reconciler.model.codes import Code

BOM = b"\xef\xbb\xbf"

_CONTROL = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D}) + b"\x7f"
_UNPRINTABLE = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
_ESCAPES = {"\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P"}


def check_encoding(body: bytes, *, yaml: bool = False) -> Finding | None:
    """The first problem of a text's encoding or characters, located; None if there is none.

    `body` has no byte order mark. `yaml`: the text is YAML, which can escape some characters.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return at_byte(body, 0, Code.INVALID_ENCODING, "utf-16")
    if body.isascii() and len(body.translate(None, _CONTROL)) == len(body):
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"0x{body[error.start]:02x}"
        return at_byte(body, error.start, Code.INVALID_ENCODING, "", {"byte": byte})
    found = re.search(_UNPRINTABLE, text)
    if found is None:
        return None
    offset = len(text[: found.start()].encode("utf-8"))
    escape = _ESCAPES.get(found[0]) if yaml else None
    case = "" if escape is None else "escape"
    facts: Facts = {"character": f"U+{ord(found[0]):04X}", "escape": escape}
    return at_byte(body, offset, Code.INVALID_CHARACTER, case, facts)


def at_byte(
    body: bytes, offset: int, code: Code, case: str = "", facts: Facts = NO_FACTS
) -> Finding:
    """A finding located at a byte of a text."""
    lines = re.split("\r\n|\r|\n", body[:offset].decode("utf-8", "replace"))
    return finding(code, (), case, facts, position=(len(lines), len(lines[-1]) + 1))
