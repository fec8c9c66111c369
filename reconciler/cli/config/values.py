"""What each key of a configuration file takes; its value becomes that of the option of its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from reconciler.manifest.repository import in_git, repository_root
from reconciler.model.errors import TaskctlError
from reconciler.model.options import AdoptScope, parse_duration


class ConfigError(ValueError):
    """A value that its key does not take; the text goes behind the key."""


@dataclass(frozen=True, slots=True)
class Where:
    """The folder that a configuration file is in, and the one that a command works in."""

    home: Path
    folder: Path

    def path(self, value: object) -> str:
        """A path as the command would be given it. ConfigError for one outside the repository."""
        if not isinstance(value, str) or not value:
            raise ConfigError("must be a path, as text")
        top = repository_root(self.home) or self.home.resolve()
        try:
            real = (self.home / value).resolve()
        except (OSError, ValueError, RuntimeError) as problem:
            raise ConfigError(f"{value!r} is no path") from problem
        if not real.is_relative_to(top) or in_git(real.relative_to(top)):
            raise ConfigError(f"{value!r} leads out of the repository ({top})")
        path = os.path.relpath(self.home.resolve() / value, self.folder.resolve())
        return Path(path).as_posix()


def _paths(value: object, where: Where) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ConfigError('must be a list of files and folders: ["tasks", "infra/tasks"]')
    return tuple(where.path(each) for each in value)


def _number(least: int) -> Callable[[object, Where], int]:
    def read(value: object, _where: Where) -> int:
        if type(value) is not int or value < least:
            raise ConfigError(f"must be a whole number of at least {least}")
        return value

    return read


def _duration(value: object, _where: Where) -> timedelta:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except TaskctlError:
            pass
    raise ConfigError('must be a number and its unit, as text: "90s", "2m30s", "1h", "7d"')


def _choice(*choices: str) -> Callable[[object, Where], str]:
    def read(value: object, _where: Where) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ConfigError(f"must be one of {', '.join(choices)}")
        return value

    return read


def _adopt(value: object, where: Where) -> AdoptScope:
    return AdoptScope(_choice(*AdoptScope)(value, where))


KEYS: dict[str, Callable[[Any, Where], Any]] = {
    "paths": _paths,
    "state": lambda value, where: where.path(value),
    "policy": lambda value, where: where.path(value),
    "parallelism": _number(1),
    "lock-timeout": _duration,
    "settle-time": _duration,
    "adopt": _adopt,
    "adopt-limit": _number(0),
    "max-creates": _number(0),
    "color": _choice("auto", "always", "never"),
}

_WHY = "Who can change the repository could {}. {}"
NEVER = {
    "backend": _WHY.format(
        "send your token anywhere with it",
        "Set it yourself:\n    export TASKCTL_BACKEND=URL",
    ),
    "token": _WHY.format(
        "read it, and so could everybody with a clone",
        "Set it yourself:\n    export PULUMI_ACCESS_TOKEN=...",
    ),
    "org": _WHY.format(
        "move all tasks to another organization with it",
        "Name it in each manifest, as `orgName`, or set it yourself:\n    export TASKCTL_ORG=NAME",
    ),
}
"""Keys that are refused, and why (contract, section 3)."""
