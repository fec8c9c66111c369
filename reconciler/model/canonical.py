"""One way to write a JSON value as bytes, and what follows from it: digests and comparable text."""

from __future__ import annotations

import json
from typing import Any

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: Any) -> bytes:
    """UTF-8, keys sorted, no white space: equal values give equal bytes."""
    text = _ENCODER.encode(value)
    return text.encode("utf-8", "surrogatepass")


def digest(value: Any) -> str:
    """`sha256:` and the hex SHA-256 of the canonical JSON."""
    import hashlib  # costs OpenSSL's start-up, and `taskctl validate` mostly needs no digest

    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def comparable_text(text: str) -> str:
    """A prompt as it is compared with the service's: line ends and outer white space set aside."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
