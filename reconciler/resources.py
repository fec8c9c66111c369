"""The JSON Schemas that come with the package: beside it in a wheel, at the top of a checkout."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
_FOLDERS = (_HERE / "schemas", _HERE.parent / "schemas")


def schema_text(name: str) -> str:
    """The text of `manifest`, `plan` or `state`: the schema that the contract names so."""
    for folder in _FOLDERS:
        path = folder / f"{name}.schema.json"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name}.schema.json is not where the package was installed")


@cache
def inline_digests(page: str) -> dict[str, str]:
    """The digest of an HTML page's one `style` and one `script`, as a policy allows them by."""
    from base64 import b64encode
    from hashlib import sha256

    found = re.findall(r"<(style|script)>(.*?)</\1>", page, re.DOTALL)
    return {name: b64encode(sha256(text.encode()).digest()).decode() for name, text in found}


def template_text(name: str) -> str:
    """The text of a file that `taskctl init` writes or shows."""
    return (_HERE / "templates" / name).read_text(encoding="utf-8")
