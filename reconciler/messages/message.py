"""What the catalog holds of one code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Message(NamedTuple):
    """`summary` is one line; `detail` says why it matters and what to do, and may have several
    lines; `command` is the command that fixes it, ready to paste. In an entry, all three are
    templates (`messages/template.py`)."""

    summary: str
    detail: str = ""
    command: str = ""

    @property
    def explanation(self) -> str:
        """Everything but the summary; the command is on a line of its own, indented."""
        command = f"    {self.command}" if self.command else ""
        return "\n".join(part for part in (self.detail, command) if part)


class Entry(NamedTuple):
    """`cases` are the wordings of a code, by name; most codes have one, named "". `title`, `why`
    and `fix` are its section of the page that explains the codes, in Markdown."""

    title: str
    why: str
    fix: str
    cases: Mapping[str, Message]
