"""What in a prompt looks like a credential. High confidence only: a false alarm teaches to ignore.

A prompt is stored at the service, read by a model and may be shared with a whole organization.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# (a text that must be there, the form, what it looks like), behind a character that must be there:
# most prompts hold none of them, and ten searches for short texts cost less than one expression.
# Compiled by `re` when first needed, which is next to never.
_FORMS = (
    (
        "_",
        (
            ("gh", r"\bgh[pousr]_[0-9A-Za-z]{36,}", "a GitHub token"),
            ("github_pat_", r"\bgithub_pat_[0-9A-Za-z_]{40,}", "a GitHub token"),
            ("sk_live_", r"\bsk_live_[0-9A-Za-z]{20,}", "a Stripe key"),
            ("npm_", r"\bnpm_[0-9A-Za-z]{36}\b", "an npm token"),
        ),
    ),
    (
        "-",
        (
            ("glpat-", r"\bglpat-[0-9A-Za-z_-]{20,}", "a GitLab token"),
            ("xox", r"\bxox[abeoprs]-[0-9A-Za-z-]{10,}", "a Slack token"),
            ("xapp-", r"\bxapp-[0-9A-Za-z-]{10,}", "a Slack token"),
            ("pul-", r"\bpul-[0-9a-f]{40}\b", "a Pulumi access token"),
            ("sk-ant-", r"\bsk-ant-[0-9A-Za-z_-]{20,}", "an Anthropic key"),
            ("PRIVATE KEY", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-", "a private key"),
        ),
    ),
    (
        "/",
        (
            ("://", r"://[^\s/:@]+:(?P<value>[^\s/@<>${}*]{6,})@", "a password in a URL"),
            ("slack.com/", r"hooks\.slack\.com/services/T\w+/B\w+/\w{16,}", "a Slack web hook"),
        ),
    ),
    ("A", (("IA", r"\bA[KS]IA[0-9A-Z]{16}\b", "an AWS access key"),)),
    ("AIza", (("AIza", r"\bAIza[0-9A-Za-z_-]{35}", "a Google API key"),)),
    ("eyJ", (("eyJ", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}", "a signed token (JWT)"),)),
)
_ASSIGNED = r"""(?ix)
    (?:(?P<password>passw(?:d|ord))
      |secret|token|api[_-]?key|secret[_-]?(?:access[_-]?)?key|access[_-]?key)
    ["']?\s{0,2}[:=]\s{0,2}["']?
    (?P<value>[0-9A-Za-z+/!@#%^&_.~=-]{8,})
    """
_SHORTEST_SECRET = 16
# Values that nobody takes for a password. A form with a prefix of its own has no dummies.
_DUMMY = "(?i)example|changeme|redacted|placeholder|x{6}|0{8}|12345678"


def credentials(text: str) -> Iterator[tuple[str, str]]:
    """What each looks like ("a GitHub token") and the text itself, which must not be shown."""
    for mark, forms in _FORMS:
        if mark in text:
            for needle, form, what in forms:
                if needle in text:
                    yield from _matches(text, form, what)
    if ":" in text or "=" in text:
        lower = text.lower()
        if "passw" in lower or "secret" in lower or "token" in lower or "key" in lower:
            yield from _assigned(text)


def _matches(text: str, form: str, what: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(form, text):
        value = match.groupdict().get("value")
        if value is None or not re.search(_DUMMY, value):
            yield what, value or match[0]


def _assigned(text: str) -> Iterator[tuple[str, str]]:
    for match in re.finditer(_ASSIGNED, text):
        value, is_password = match["value"], match["password"] is not None
        letters = any(c.isalpha() for c in value)
        digits = any(c.isdigit() for c in value)
        long_enough = is_password or len(value) >= _SHORTEST_SECRET
        if letters and digits and long_enough and not re.search(_DUMMY, value):
            yield ("a password" if is_password else "a secret"), value
