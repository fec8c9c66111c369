"""JSON as the state's files hold it: for a review with indent 2, for the journal on one line.

The standard library indents in Python alone, at a third of the speed of what is here.
"""

from __future__ import annotations

import json
import math
import re
from json.encoder import encode_basestring

# In a review these would be invisible or turn the text around; UTF-8 cannot hold the last.
_HIDDEN = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)


_COMPACT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def indented(value: object) -> str:
    """As `json.dumps` with indent 2 and sorted keys, text as it is but for what is not visible."""
    text = _indented(value, "\n")
    return text if text.isascii() else _HIDDEN.sub(_escaped, text)


def one_line(value: object) -> bytes:
    """Without white space and in ASCII, keys sorted."""
    try:
        return _compact(value)
    except ValueError:
        return _compact(_finite(value))


def _escaped(hidden: re.Match[str]) -> str:
    return json.dumps(hidden.group())[1:-1]


def _indented(value: object, line: str) -> str:
    """`line` is a newline and the indent that the value's end has."""
    if isinstance(value, str):
        return encode_basestring(value)
    inner = line + "  "
    if isinstance(value, dict):
        parts = [
            f"{encode_basestring(name)}: {_indented(value[name], inner)}" for name in sorted(value)
        ]
        return f"{{{inner}{f',{inner}'.join(parts)}{line}}}" if parts else "{}"
    if isinstance(value, (list, tuple)):
        parts = [_indented(item, inner) for item in value]
        return f"[{inner}{f',{inner}'.join(parts)}{line}]" if parts else "[]"
    return json.dumps(_finite(value))


def _compact(value: object) -> bytes:
    return _COMPACT.encode(value).encode()


def _finite(value: object) -> object:
    """A service may answer NaN; that must not keep a task's id from being written down."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
