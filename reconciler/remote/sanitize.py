"""External text for messages: one short printable line without secrets."""

from __future__ import annotations

from urllib.parse import quote, quote_plus, urlsplit

from reconciler.model.canonical import map_texts
from reconciler.model.wire import REDACTED

_SHOWN = 400


def shown_text(text: str, limit: int = _SHOWN) -> str:
    """One line: white space folded, unprintable characters escaped, shortened."""
    folded = " ".join(text[: 4 * limit].split())
    plain = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in folded)
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


def bare_url(url: str) -> str:
    """A URL without what may be secret: user, query and fragment.

    For URL parsers, a raw `/` in a password ends the host, so everything before the last `@` is
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
    """Replaces secrets in texts, also percent-encoded ones.

    Anything shorter than six characters is not treated as a secret, because it would garble
    every message.
    """

    def __init__(self, *secrets: str) -> None:
        kept = [secret for secret in secrets if len(secret) > 5]
        spellings = {how for s in kept for how in (s, quote(s, safe=""), quote_plus(s))}
        self._secrets = sorted(spellings, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text

    def values(self, data: object, body: bytes) -> object:
        """JSON values and names, decoded from `body`; usually unchanged."""
        spelled = any(secret.encode() in body for secret in self._secrets)
        return map_texts(self, data, names=True) if spelled or b"\\u" in body else data

    def __repr__(self) -> str:
        return "Scrubber()"
