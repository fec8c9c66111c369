"""Git repositories for tests: a file that a manifest names must be tracked."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def new_repository(folder: Path) -> None:
    """An empty repository in a directory, which is created."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet")


def track(folder: Path) -> None:
    """Adds the names of all files, also of ignored files; their content is not read."""
    git(folder, "add", "--all", "--force", "--intent-to-add")


def committed(folder: Path, *paths: str) -> None:
    """Commits these files, by default all that are not ignored."""
    git(folder, "add", *(paths or ["."]))
    git(folder, "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-qm", "x")
