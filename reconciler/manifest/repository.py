"""The repository that a folder is in, and outside which nothing is read for what lies in it."""

from __future__ import annotations

import os
from pathlib import Path


def repository_root(folder: Path) -> Path | None:
    """The nearest folder at or above `folder` that holds `.git` (a file in a linked work tree), all
    links followed; None outside any repository."""
    real = Path(os.path.realpath(folder))  # `Path.resolve` raises where links lead in a circle
    return next((top for top in (real, *real.parents) if os.path.lexists(top / ".git")), None)
