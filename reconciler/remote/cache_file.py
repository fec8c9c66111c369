"""A cache in one JSON file that may be deleted at any time; only its owner may read it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from reconciler.scratch import make_scratch

_VERSION = 1


class KeptEntries:
    """JSON values by name, in a file in `folder`: one for each `kind` and owner (`whose`). A file
    that cannot be read or written is ignored."""

    def __init__(self, folder: Path, kind: str, whose: str) -> None:
        name = hashlib.sha256(whose.encode()).hexdigest()[:12]
        self._path = folder / f"{kind}-{name}.json"
        self._entries: dict[str, Any] | None = None
        self._dirty = False

    def get(self, name: str) -> Any:
        """None if there is none."""
        return self._load().get(name)

    def put(self, name: str, entry: Any) -> None:
        """Written by the next `save`."""
        entries = self._load()
        if entries.get(name) != entry:
            entries[name] = entry
            self._dirty = True

    def save(self) -> None:
        if self._dirty:
            with contextlib.suppress(OSError):
                self._write()
            self._dirty = False

    def _write(self) -> None:
        make_scratch(self._path.parent)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                json.dump({"version": _VERSION, "entries": self._load()}, file)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _load(self) -> dict[str, Any]:
        if self._entries is None:
            self._entries = _read(self._path)
        return self._entries


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        return {}
    entries = content.get("entries")
    return entries if isinstance(entries, dict) else {}
