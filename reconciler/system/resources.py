"""Files of the package: JSON Schemas (in a checkout, at its top level) and templates."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parents[1]
_FOLDERS = (_HERE / "schemas", _HERE.parent / "schemas")


def schema_text(name: str) -> str:
    """The JSON Schema of that name, such as `manifest` or `plan`."""
    for folder in _FOLDERS:
        path = folder / f"{name}.schema.json"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name}.schema.json is not where the package was installed")


@cache
def inline_digests(page: str) -> dict[str, str]:
    """The digests of an HTML page's `style` and `script`, for its Content-Security-Policy."""
    from base64 import b64encode
    from hashlib import sha256

    found = re.findall(r"<(style|script)>(.*?)</\1>", page, re.DOTALL)
    return {name: b64encode(sha256(text.encode()).digest()).decode() for name, text in found}


def template_text(name: str) -> str:
    """A file that `taskctl init` writes or shows."""
    return (_HERE / "templates" / name).read_text(encoding="utf-8")
