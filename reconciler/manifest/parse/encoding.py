"""Bytes that can be read as text: what keeps a manifest or a prompt's file from being that."""

from __future__ import annotations

import re

from reconciler.manifest.problem import Problem

BOM = b"\xef\xbb\xbf"

_CONTROL = bytes(set(range(0x20)) - {0x09, 0x0A, 0x0D}) + b"\x7f"
_UNPRINTABLE = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"


def unreadable(body: bytes, whose: str) -> Problem | None:
    """What is wrong with a text's encoding or its characters, at its place; None where nothing is.

    `body` has no byte order mark; `whose` is `a manifest` or `a prompt`.
    """
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return at_byte(body, 0, "the file is UTF-16; save it as UTF-8")
    if body.isascii() and len(body.translate(None, _CONTROL)) == len(body):
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"byte 0x{body[error.start]:02x} is not UTF-8; save the file as UTF-8"
        return at_byte(body, error.start, what)
    found = re.search(_UNPRINTABLE, text)
    if found is None:
        return None
    offset = len(text[: found.start()].encode("utf-8"))
    what = f"the character U+{ord(found[0]):04X} cannot be seen and may not stand in {whose}"
    return at_byte(body, offset, what)


def at_byte(body: bytes, offset: int, what: str) -> Problem:
    before = body[:offset].decode("utf-8", "replace")
    lines = re.split("\r\n|\r|\n", before)
    return Problem((), what, line=len(lines), column=len(lines[-1]) + 1)
