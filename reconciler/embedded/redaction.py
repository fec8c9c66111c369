"""Redaction of credential-like text, which the real service may apply to prompts."""

from __future__ import annotations

import re

REDACTED = "[REDACTED]"

_CREDENTIALS = re.compile(
    r"""
    \bpul-[0-9a-f]{40}\b
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
    | \bgh[pousr]_[A-Za-z0-9]{36,}\b
    | \bxox[abprs]-[A-Za-z0-9-]{10,}
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?-----END[ ][A-Z ]*PRIVATE[ ]KEY-----
    | (?<=\bpassword[=:])\s*\S+
    """,
    re.VERBOSE | re.DOTALL,
)


def redacted(text: str) -> str:
    return _CREDENTIALS.sub(REDACTED, text)
