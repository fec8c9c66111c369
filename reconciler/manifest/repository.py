"""The repository of a directory: nothing outside it is read for a file in it."""

from __future__ import annotations

import os
from pathlib import Path


def repository_root(folder: Path) -> Path | None:
    """The nearest directory at or above `folder` with `.git` (a file in a linked work tree), links
    resolved; None outside of repositories."""
    real = Path(os.path.realpath(folder))  # `Path.resolve` raises for link loops
    return next((top for top in (real, *real.parents) if os.path.lexists(top / ".git")), None)
