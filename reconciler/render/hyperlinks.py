"""Hyperlinks in a terminal (OSC 8): a text that opens an address.

An address is never printed raw: it may come from a service, and a control character in it would
end the sequence.
"""

from __future__ import annotations

import re
from urllib.parse import quote

_ADDRESS = re.compile(
    r"(?P<start>https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)"
    r"(?P<rest>(?:[/?#].*)?)",
    re.DOTALL,
)
_KEPT = "/?#%:@!$&'()*+,;=~"  # besides letters, digits and -._
_MAX_LENGTH = 2000  # some terminals ignore longer ones


def web_address(url: str | None) -> str:
    """`url` in printable ASCII, percent-encoded; empty for anything but the address of a web page,
    and for one that shows another host than it opens (`https://github.com@other.example`)."""
    found = _ADDRESS.fullmatch(url or "")
    if found is None:
        return ""
    address = found["start"] + quote(found["rest"], safe=_KEPT, errors="replace")
    return address if len(address) <= _MAX_LENGTH else ""


def linked(text: str, url: str | None) -> str:
    """A text, which `safe` has escaped, that opens `url`; unchanged if that is no web address."""
    address = web_address(url) if text else ""
    return f"\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\" if address else text
