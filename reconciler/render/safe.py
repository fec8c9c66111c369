"""Escapes external text, so that it cannot affect a terminal, a workflow log, a table or a page.

Invisible and reordering characters become visible escapes (`\\x1b`, `\\u202e`), and the first
character of anything that a workflow runner would interpret as a command is escaped. GitHub
interprets `::name::` at the start of a line (ignoring white space) and `##[name]` anywhere; Azure
`##vso[`; TeamCity `##teamcity[`.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from reconciler.model.canonical import INVISIBLE, visible

_COMMAND = r"(?m)^(?P<space>[^\S\n]*+(?:\ufe0f++[^\S\n]*+)?)::|##(?=\w*\[)"
_ADDRESS = (
    r"(?s)(?P<start>https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)"
    r"(?P<rest>(?:[/?#].*)?)"
)
_KEPT = "/?#%:@!$&'()*+,;=~"  # in addition to letters, digits and -._
_MAX_LENGTH = 2000  # some terminals ignore longer addresses


def line(text: str) -> str:
    """The text on one line: line ends and tabs are escaped, too."""
    if not (text.isascii() and text.isprintable()):
        text = visible(text, f"\n{INVISIBLE}")
    return without_commands(text)


def block(text: str) -> str:
    """The text as lines: line feeds are kept; a carriage return before a line feed is dropped."""
    return without_commands(visible(text.replace("\r\n", "\n")))


def without_commands(text: str) -> str:
    """Escapes only workflow commands."""
    if "::" not in text and "##" not in text:
        return text
    return re.sub(_COMMAND, _break, text)


def html(text: str) -> str:
    """Text or a quoted attribute of an HTML page; lines are kept."""
    from html import escape  # builds a table of all entities; few formats need it

    return escape(block(text), quote=True)


def inline(text: str) -> str:
    """Text or a quoted attribute of an HTML page, on one line."""
    return html(line(text))


def web_address(url: str | None) -> str:
    """`url` in printable ASCII, percent-encoded; empty if it is not the address of a web page, or
    shows another host than it opens (`https://github.com@other.example`)."""
    found = re.fullmatch(_ADDRESS, url or "")
    if found is None:
        return ""
    address = found["start"] + quote(found["rest"], safe=_KEPT, errors="replace")
    return address if len(address) <= _MAX_LENGTH else ""


def linked(text: str, url: str | None) -> str:
    """An escaped text that opens `url` in a terminal (OSC 8); unchanged if that is no web address.
    An address may come from a service: a control character would end the sequence."""
    address = web_address(url) if text else ""
    return f"\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\" if address else text


def _break(found: re.Match[str]) -> str:
    space = found["space"]
    return "\\x23#" if space is None else f"{space}\\x3a:"
