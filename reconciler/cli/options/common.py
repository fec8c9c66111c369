"""The settings of every command, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconciler.cli.config.file import NO_CONFIG, Config


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One `--report`: its format and the file as the user typed it (None: stdout)."""

    format: str
    file: str | None


@dataclass(frozen=True, slots=True)
class Common:
    """The settings of every command. `root` is the folder after `-C`, `reports` go to files.

    `config` is in them already, but for what only some commands ask of it.
    """

    root: Path = Path()
    format: str = "text"
    color: str = "auto"
    quiet: bool = False
    verbose: bool = False
    reports: tuple[ReportFile, ...] = ()
    config: Config = NO_CONFIG

    def path(self, text: str) -> Path:
        """A path as the user typed it, seen from `root`."""
        return self.root / text
