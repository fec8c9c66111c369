"""Files of the package: JSON Schemas (in a checkout, at its top level) and templates."""

from __future__ import annotations

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


def template_text(name: str) -> str:
    """A file that `taskctl init` writes or shows."""
    return (_HERE / "templates" / name).read_text(encoding="utf-8")
