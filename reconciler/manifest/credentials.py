"""Credentials in texts, which a service stores, a model reads, and a whole organization may see.

High confidence only: users learn to ignore false positives.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

# A required text, the pattern, and its description. Most prompts contain none of these texts.
# Patterns are compiled when first needed, which is rare.
_FORMS = (
    ("gh", r"\bgh[pousr]_[0-9A-Za-z]{36,}", "a GitHub token"),
    ("github_pat_", r"\bgithub_pat_[0-9A-Za-z_]{40,}", "a GitHub token"),
    ("sk_live_", r"\bsk_live_[0-9A-Za-z]{20,}", "a Stripe key"),
    ("npm_", r"\bnpm_[0-9A-Za-z]{36}\b", "an npm token"),
    ("glpat-", r"\bglpat-[0-9A-Za-z_-]{20,}", "a GitLab token"),
    ("xox", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}", "a Slack token"),
    ("xapp-", r"\bxapp-[0-9A-Za-z-]{10,}", "a Slack token"),
    ("pul-", r"\bpul-[0-9a-f]{40}\b", "a Pulumi access token"),
    ("sk-ant-", r"\bsk-ant-[0-9A-Za-z_-]{20,}", "an Anthropic key"),
    ("PRIVATE KEY", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-", "a private key"),
    ("://", r"://[^\s/:@]+:(?P<value>[^\s/@<>${}*]{6,})@", "a password in a URL"),
    ("slack.com/", r"hooks\.slack\.com/services/T\w+/B\w+/\w{16,}", "a Slack web hook"),
    ("AKIA", r"\bAKIA[0-9A-Z]{16}\b", "an AWS access key"),
    ("ASIA", r"\bASIA[0-9A-Z]{16}\b", "an AWS access key"),
    ("AIza", r"\bAIza[0-9A-Za-z_-]{35}", "a Google API key"),
    ("eyJ", r"(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\.[\w-]{10,}", "a signed token (JWT)"),
)
_ASSIGNED = r"""(?ix)
    (?:(?P<password>passw(?:d|ord))
      |secret|token|api[_-]?key|secret[_-]?(?:access[_-]?)?key|access[_-]?key)
    ["']?\s{0,2}[:=]\s{0,2}["']?
    (?P<value>[0-9A-Za-z+/!@#%^&_.~=-]{8,})
    """
_SHORTEST_SECRET = 16
# Values that are obviously placeholders. Checked only for passwords in URLs and assigned secrets.
_DUMMY = "(?i)example|changeme|redacted|placeholder|x{6}|0{8}|12345678"


def credentials(text: str) -> Iterator[tuple[str, str]]:
    """The kind of each credential ("a GitHub token") and its text, which must not be shown."""
    possible = [(form, kind) for needle, form, kind in _FORMS if needle in text]
    for form, kind in possible:
        for match in re.finditer(form, text):
            value = match.groupdict().get("value")
            if value is None or not re.search(_DUMMY, value):
                yield kind, value or match[0]
    if ":" in text or "=" in text:
        lower = text.lower()
        if "passw" in lower or "secret" in lower or "token" in lower or "key" in lower:
            yield from _assigned(text)


def masked(text: str) -> str:
    """The text with asterisks for credentials."""
    for _, secret in credentials(text):
        text = text.replace(secret, "*" * len(secret))
    return text


def may_have_credentials(text: str) -> bool:
    """Whether a YAML file may contain a credential in any form: with escapes, on several lines, or
    as the value of a key."""
    if "\0" in text or "\ufffd" in text:  # in another encoding
        return True
    plain = text.replace("''", "'")
    unescaped = re.sub(_ESCAPE, _unescaped, plain)
    joined = {" ".join(t.split()) for t in (plain, unescaped, unescaped.replace("\\", ""))}
    joined |= {re.sub(_PROPERTIES, ": ", t) for t in joined}
    return any("PRIVATE KEY" in t or any(credentials(t)) for t in joined)


_ESCAPE = r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|[\r\n]\s*+|(.))"
_PROPERTIES = r": (?:[&!|>]\S*+ )++"
"""What YAML allows between a colon and its value: anchors, tags, and the header of a block
scalar."""


def _unescaped(match: re.Match[str]) -> str:
    if code := match[1] or match[2] or match[3]:
        return chr(min(int(code, 16), sys.maxunicode))
    kept = match[4] or ""
    return " " if kept and kept in "0abtnvfreNLP_" else kept


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(_ASSIGNED, text):
        value, is_password = match["value"], match["password"] is not None
        letters = any(c.isalpha() for c in value)
        digits = any(c.isdigit() for c in value)
        long_enough = is_password or len(value) >= _SHORTEST_SECRET
        if letters and digits and long_enough and not re.search(_DUMMY, value):
            yield ("a password" if is_password else "a secret"), value
