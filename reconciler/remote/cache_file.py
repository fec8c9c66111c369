"""A cache in one private JSON file, which can be deleted at any time."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

from reconciler import disk
from reconciler.scratch import make_scratch

_VERSION = 1


class KeptEntries:
    """JSON values by name, in one file in `folder` per `kind` and owner (`whose`). A file that
    cannot be read or written is ignored."""

    def __init__(self, folder: Path, kind: str, whose: str) -> None:
        name = hashlib.sha256(whose.encode()).hexdigest()[:12]
        self._path = folder / f"{kind}-{name}.json"
        self._entries: dict[str, object] | None = None
        self._dirty = False

    def get(self, name: str) -> Any:
        return self._load().get(name)

    def put(self, name: str, entry: Any) -> None:
        """Changes the entry; `save` writes it."""
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
        data = json.dumps({"version": _VERSION, "entries": self._load()})
        disk.replace_file(self._path, data.encode("ascii"), mode=disk.PRIVATE)

    def _load(self) -> dict[str, object]:
        if self._entries is None:
            self._entries = _read(self._path)
        return self._entries


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(disk.read_file(path) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("version") != _VERSION:
        return {}
    entries = content.get("entries")
    return entries if isinstance(entries, dict) else {}
