"""The keys of a configuration file and the values they accept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from reconciler.manifest.repository import in_git, repository_root
from reconciler.model.diagnostics import Arg, TaskctlError
from reconciler.model.options import AdoptScope, parse_duration


class ConfigError(ValueError):
    """An invalid value: the case of the diagnostic, and its facts."""

    def __init__(self, case: str, **facts: Arg) -> None:
        super().__init__(case)
        self.case, self.facts = case, facts


class ConfigLocation(NamedTuple):
    """The directory of a configuration file (`home`), and that of the command (`folder`)."""

    home: Path
    folder: Path

    def path(self, value: object) -> str:
        """A path relative to `folder`. ConfigError if it is outside the repository."""
        if not isinstance(value, str) or not value:
            raise ConfigError("path")
        top = repository_root(self.home) or self.home.resolve()
        try:
            real = (self.home / value).resolve()
        except (OSError, ValueError, RuntimeError) as problem:
            raise ConfigError("path") from problem
        if not real.is_relative_to(top) or in_git(real.relative_to(top)):
            raise ConfigError("outside", value=value, top=str(top))
        path = os.path.relpath(self.home.resolve() / value, self.folder.resolve())
        return Path(path).as_posix()


def _paths(value: object, where: ConfigLocation) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ConfigError("paths")
    return tuple(where.path(each) for each in value)


def _number(least: int) -> Callable[[object, ConfigLocation], int]:
    def read(value: object, _where: ConfigLocation) -> int:
        if type(value) is not int or value < least:
            raise ConfigError("number", least=least)
        return value

    return read


def _duration(value: object, _where: ConfigLocation) -> str:
    if isinstance(value, str):
        try:
            parse_duration(value)
        except TaskctlError:
            pass
        else:
            return value
    raise ConfigError("duration")


def _choice(*choices: str) -> Callable[[object, ConfigLocation], str]:
    def read(value: object, _where: ConfigLocation) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ConfigError("choice", choices=choices)
        return value

    return read


def _identity(value: object, _where: ConfigLocation) -> str:
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind not in APPLY_AS or not name.strip():
        raise ConfigError("identity")
    return f"{kind}:{name.strip()}"


def _state(value: object, where: ConfigLocation) -> str:
    """Only a path in the repository or a remote of the clone, so that no pull request can send
    prompts elsewhere."""
    from reconciler.app.state_address import is_address

    if not isinstance(value, str) or not is_address(value):
        return where.path(value)
    if not value.startswith("git:"):
        raise ConfigError("address")
    return value


APPLY_AS = ("user-id", "team", "login")

KEYS: dict[str, Callable[[object, ConfigLocation], object]] = {
    "paths": _paths,
    "state": _state,
    "policy": lambda value, where: where.path(value),
    "parallelism": _number(1),
    "lock-timeout": _duration,
    "settle-time": _duration,
    "adopt": _choice(*AdoptScope),
    "adopt-limit": _number(0),
    "max-creates": _number(0),
    "apply-as": _identity,
    "color": _choice("auto", "always", "never"),
}

SETTINGS = frozenset({"paths", "policy", "state", "max_creates", "apply_as"})
"""The fields of `Settings`; the others are defaults of options."""

FORBIDDEN = frozenset({"backend", "token", "org"})
"""Rejected keys, each with its own message."""
