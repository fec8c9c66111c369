"""Where a file is in its repository: what code hosts link to, whatever folder a command ran in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reconciler.manifest.repository import repository_root


def locator(folder: Path) -> Callable[[str], str]:
    """Turns a file's name, seen from `folder`, into its path from the root of the repository.

    The name stays as it is for what lies outside, and where there is no repository.
    """
    top = repository_root(folder)
    if top is None:
        return lambda file: file
    base = folder.resolve()

    def locate(file: str) -> str:
        plain = Path(os.path.normpath(base / file))
        for path in (plain, plain.parent.resolve() / plain.name):
            if path.is_relative_to(top):
                return path.relative_to(top).as_posix()
        return file

    return locate
