"""External text for messages: one short printable line without secrets."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, urlsplit

from reconciler.model.canonical import map_texts, visible
from reconciler.model.work import REDACTED

_SHOWN = 400


def shown_text(text: str, limit: int = _SHOWN) -> str:
    """One line: whitespace folded, invisible characters escaped, shortened."""
    plain = visible(" ".join(text[: 4 * limit].split()))
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def bare_url(url: str) -> str:
    """A URL without user, query and fragment, which may be secret.

    URL parsers end the host at a raw `/` in a password, so everything before the last `@` is
    removed first.
    """
    scheme, sign, rest = url.partition("://")
    if sign:
        url = scheme + sign + rest.partition("?")[0].partition("#")[0].rpartition("@")[2]
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "an invalid URL"
    return shown_text(f"{parts.scheme}://{host}{parts.path}" if host else parts.path)


class Scrubber:
    """Replaces secrets in texts, also percent-encoded.

    Anything shorter than six characters is not treated as a secret, because every message would be
    garbled.
    """

    def __init__(self, *secrets: str) -> None:
        kept = [secret for secret in secrets if len(secret) > 5]
        spellings = {how for s in kept for how in (s, quote(s, safe=""), quote_plus(s))}
        self._secrets = sorted(spellings, key=len, reverse=True)
        self._in_bytes = [secret.encode() for secret in self._secrets]
        # JSON may escape these characters: the body then does not contain the secret's bytes.
        may_be_escaped = any(set(secret) & set('"\\/') for secret in spellings)
        self._escape = re.compile(rb'\\["\\/u]' if may_be_escaped else rb"\\u")

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text

    def values(self, data: object, body: bytes | bytearray) -> object:
        """JSON values and names, decoded from `body`; usually unchanged."""
        if self._escape.search(body) or any(map(body.__contains__, self._in_bytes)):
            return map_texts(self, data, names=True)
        return data
