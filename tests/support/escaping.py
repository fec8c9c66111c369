"""Checks that escaped text is inert, independently of `render.safe`."""

from __future__ import annotations

import unicodedata

_BLANK = {"Zs", "Cc", "Zl", "Zp", "Cf", "Mn"}
_ALLOWED_MARKS = {"\ufe0f"}


def invisible_in(text: str) -> set[str]:
    """The characters of `text` that are invisible or move what is shown, including newlines."""
    return {
        character
        for character in set(text)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        or 0xE0000 <= ord(character) <= 0xE0FFF
        or (0xFE00 <= ord(character) <= 0xFE0F and character not in _ALLOWED_MARKS)
    }


def commands_in(text: str) -> list[str]:
    """The lines that a workflow runner would read as a command.

    It is less strict than any runner, so that nothing is missed: it skips invisible characters at
    the start of a line, and any line ending ends a line.
    """
    found = []
    for line in text.splitlines():
        head = line
        while head and unicodedata.category(head[0]) in _BLANK:
            head = head[1:]
        if head.startswith("::") or "##[" in line or "##vso[" in line or "##teamcity[" in line:
            found.append(line)
    return found
