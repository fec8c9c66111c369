"""The JSON Schemas that come with the package: beside it in a wheel, at the top of a checkout."""

from __future__ import annotations

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


def template_text(name: str) -> str:
    """The text of a file that `taskctl init` writes or shows."""
    return (_HERE / "templates" / name).read_text(encoding="utf-8")
