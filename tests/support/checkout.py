"""The repository as a fresh clone: all files that are not ignored, in one commit."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_NOBODY = {
    "GIT_AUTHOR_NAME": "Nobody",
    "GIT_AUTHOR_EMAIL": "nobody@example.com",
    "GIT_COMMITTER_NAME": "Nobody",
    "GIT_COMMITTER_EMAIL": "nobody@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git_environment() -> dict[str, str]:
    """The environment of this process, with an author, without variables of other repositories."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, **_NOBODY}


def git(folder: Path, *arguments: str) -> str:
    """The output of a git command; CalledProcessError if it fails."""
    ended = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=git_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


def checkout(folder: Path) -> Path:
    """Creates a repository in `folder` with the files of the work tree as its one commit."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=All of it")
    return folder
