"""The settings of a use case, from the command line and the configuration file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.manifest.repository import refuse_link_out, resolved
from reconciler.model import limits
from reconciler.model.options import SETTLE_TIME
from reconciler.model.value import Value

if TYPE_CHECKING:
    from reconciler.model.service import Identity


class Settings(Value, frozen=True):
    """The working directory `root`, and the settings of the configuration file in it, other than
    defaults of options. `called_in`: the directory that paths on the command line are relative to,
    if it is different.

    `paths` replace the default locations of manifests; they and `policy` are relative to `root`.
    `config_file` is the name of the file, None if there is none. `all_problems`: similar
    diagnostics are not limited.
    """

    root: Path = Path()
    called_in: Path | None = None
    paths: tuple[str, ...] = ()
    policy: str | None = None
    state: str | None = None
    apply_as: str | None = None
    run_workflow: str | None = None
    config_file: str | None = None
    all_problems: bool = False

    def applies_as(self, who: Identity) -> bool:
        """Whether `apply_as` allows this identity to apply."""
        if self.apply_as is None:
            return True
        kind, _, name = self.apply_as.partition(":")
        own = {"user-id": who.id, "team": who.team or "", "login": who.login.lower()}
        return own[kind] == (name.lower() if kind == "login" else name)

    @property
    def folder(self) -> Path:
        """The directory that paths on the command line are relative to."""
        return self.root if self.called_in is None else self.called_in

    def path(self, typed: str) -> Path:
        """The path that the user typed."""
        return self.folder / typed

    def names(self, typed: Iterable[str]) -> tuple[str, ...]:
        """PATHs that the user typed, relative to `root`."""
        return tuple(_moved(path, self.folder, self.root) for path in typed)

    def embedded_file(self, name: str) -> Path:
        """The file of an embedded service, relative to `root`. Raises TaskctlError if it, or a file
        that SQLite keeps next to it, is a link out of the repository."""
        path = self.root / name
        refuse_link_out(self.root, name, "write")
        for suffix in ("-journal", "-wal", "-shm"):
            refuse_link_out(self.root, f"{resolved(path)}{suffix}", "write")
        return path

    def typed(self, name: str) -> str:
        """A path relative to `root`, as the user would type it."""
        return _moved(name, self.root, self.folder)


def _moved(path: str, old: Path, new: Path) -> str:
    """A path that is relative to `old`, relative to `new`."""
    if old == new or Path(path).is_absolute():
        return path
    return Path(os.path.relpath(resolved(old) / path, resolved(new))).as_posix()


class ReportFile(Value, frozen=True):
    """A `--report`: its format, and the file as the user typed it."""

    format: str
    file: str


class Connection(Value, frozen=True):
    """The options for the service and the state. None: resolved as in
    docs/configuration.md."""

    backend: str | None = None
    org: str | None = None
    state: str | None = None
    parallelism: int = limits.DEFAULT_PARALLELISM
    lock_timeout: timedelta = timedelta()
    settle_time: timedelta = SETTLE_TIME
