"""Rejects manifests that two configurations of a repository read: each has a separate state, so
each would create the tasks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from reconciler.app.configuration import NAME, config_in, places_of
from reconciler.app.settings import Settings
from reconciler.manifest.repository import repository_root, resolved
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError, error
from reconciler.system.git import run_git


def refuse_shared_manifests(settings: Settings, files: Sequence[str]) -> None:
    """Raises TaskctlError if another configuration reads one of these manifests, or cannot be
    read."""
    top, root = repository_root(settings.root), resolved(settings.root)
    if top is None:
        return
    manifests = {name: resolved(settings.root / name) for name in files}
    homes = {*_tracked(top), *_above({path.parent for path in manifests.values()}, top)}
    others = [home for home in sorted(homes - {root}) if os.path.lexists(home / NAME)]
    if len(others) > limits.CONFIGS:
        raise TaskctlError.of(Code.READ_TWICE, "many", most=limits.CONFIGS)
    read = {place: name for name, path in manifests.items() for place in places_of(path)}
    found = []
    for config in map(config_in, others):
        shared = min((read[place] for place in config.places() & read.keys()), default=None)
        if shared is not None and config.file is not None:
            other = config.file.relative_to(top).as_posix()
            found.append(error(Code.READ_TWICE, at=Place(shared), other=other))
    if found:
        raise TaskctlError(found)


def _above(folders: set[Path], top: Path) -> Iterator[Path]:
    """The directories of the manifests, and those above them in the repository."""
    for folder in folders:
        yield from (up for up in (folder, *folder.parents) if up.is_relative_to(top))


def _tracked(top: Path) -> Iterator[Path]:
    """The directories of the configurations that git tracks; none if git does not run."""
    with suppress(OSError):
        listed = run_git(top, "ls-files", "-z", "--", f":(glob)**/{NAME}", env=os.environ).stdout
        paths = (top / os.fsdecode(name) for name in listed.split(b"\0") if name)
        yield from (path.parent for path in paths)
