"""The directory `.taskctl` for disposable data: caches, and the embedded service."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

CACHE = ".taskctl"


def make_scratch(folder: Path) -> None:
    """Creates a directory and its parents; git ignores a directory `.taskctl`. Raises OSError."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it contains prompts
    if folder.name == CACHE:
        with suppress(OSError):
            (folder / ".gitignore").write_text("*\n", encoding="ascii")
