"""The folder `.taskctl`, for what can be lost: caches, and the embedded service."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

CACHE = ".taskctl"


def make_scratch(folder: Path) -> None:
    """Makes a folder, and those above it; git passes over one of that name. Raises OSError."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds prompts, whatever the umask
    if folder.name == CACHE:
        with suppress(OSError):
            (folder / ".gitignore").write_text("*\n", encoding="ascii")
