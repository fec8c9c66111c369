"""The configuration file: `taskctl.toml`, or `[tool.taskctl]` in `pyproject.toml`.

Anyone who can write to the repository can write this file. It must not control where tokens are
sent or which organization owns the tasks (SECURITY.md), and its paths must not leave the
repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from reconciler.app.context import Settings
from reconciler.manifest.repository import (
    in_git,
    is_hidden,
    refuse_link_out,
    repository_root,
)
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, TaskctlError, error
from reconciler.model.options import AdoptScope, parse_duration
from reconciler.model.remarks import Arg, RemarkError
from reconciler.model.value import Value
from reconciler.system import disk

NAME = "taskctl.toml"
PYPROJECT = "pyproject.toml"
"""A larger file is truncated, and therefore invalid."""

_MAX_PATHS = 1_000
_MAX_PROBLEMS = 100
_MAX_PARTS = 30
_LONG_KEY = rb"(?<![\w.-])(?:(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+){%d}" % _MAX_PARTS
"""A dotted key. For each part, the library copies all that are before it."""


# Values


def _invalid(case: str, **facts: Arg) -> RemarkError:
    return RemarkError(Code.INVALID_CONFIG, case, **facts)


class ConfigLocation(Value, frozen=True):
    """The directory of a configuration file (`home`), and that of the command (`folder`)."""

    home: Path
    folder: Path

    def path(self, value: object, *, may_be_hidden: bool = True) -> str:
        """A path relative to `folder`. RemarkError if it is outside the repository, or hidden
        although it must not be."""
        if not isinstance(value, str) or not 0 < len(value) <= limits.PATH_CHARACTERS:
            raise _invalid("path")
        top = repository_root(self.home) or self.home.resolve()
        try:
            real = (self.home / value).resolve()
        except (OSError, ValueError, RuntimeError) as problem:
            raise _invalid("path") from problem
        if not real.is_relative_to(top) or in_git(real.relative_to(top)):
            raise _invalid("outside", value=value, top=str(top))
        if not may_be_hidden and is_hidden(real.relative_to(top)):
            raise _invalid("hidden", value=value)
        path = os.path.relpath(self.home.resolve() / value, self.folder.resolve())
        return Path(path).as_posix()


def _paths(value: object, where: ConfigLocation) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _invalid("paths")
    if len(value) > _MAX_PATHS:
        raise _invalid("many", most=_MAX_PATHS)
    return tuple(where.path(each, may_be_hidden=False) for each in value)


def _number(least: int, most: int | None = None) -> Callable[[object, ConfigLocation], int]:
    def read(value: object, _where: ConfigLocation) -> int:
        if type(value) is not int or value < least:
            raise _invalid("number", least=least)
        if most is not None and value > most:
            raise _invalid("large", most=most)
        return value

    return read


def _duration(value: object, _where: ConfigLocation) -> str:
    if isinstance(value, str):
        try:
            parse_duration(value)
        except RemarkError:
            pass
        else:
            return value
    raise _invalid("duration")


def _choice(*choices: str) -> Callable[[object, ConfigLocation], str]:
    def read(value: object, _where: ConfigLocation) -> str:
        if not isinstance(value, str) or value not in choices:
            raise _invalid("choice", choices=choices)
        return value

    return read


def _identity(value: object, _where: ConfigLocation) -> str:
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind not in APPLY_AS or not name.strip():
        raise _invalid("identity")
    return f"{kind}:{name.strip()}"


def _state(value: object, where: ConfigLocation) -> str:
    """Only a path in the repository or a remote of the clone, so that no pull request can send
    prompts elsewhere."""
    from reconciler.app.state_address import is_address

    if not isinstance(value, str) or not is_address(value):
        return where.path(value)
    if not value.startswith("git:"):
        raise _invalid("address")
    return value


APPLY_AS = ("user-id", "team", "login")

KEYS: dict[str, Callable[[object, ConfigLocation], object]] = {
    "paths": _paths,
    "state": _state,
    "policy": lambda value, where: where.path(value, may_be_hidden=False),
    "parallelism": _number(1, limits.PARALLELISM),
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


# The file


class Config(Value, frozen=True):
    """The values of a file, by parameter name. `file` is the file as the user would write it, None
    if there is none; paths are relative to the command's directory."""

    file: str | None
    values: Mapping[str, Any]

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of options (click's `default_map`); `color` also depends on NO_COLOR."""
        return {n: v for n, v in self.values.items() if n not in SETTINGS and n != "color"}

    def settings(self, root: Path) -> Settings:
        """The settings of a command in the directory `root`."""
        own = {name: self.values[name] for name in SETTINGS & self.values.keys()}
        return Settings(root=root, config_file=self.file, **own)


NO_CONFIG = Config(None, {})


def config_of(ctx: click.Context) -> Config:
    """The configuration of a command, read once. TaskctlError for an invalid file."""
    known = ctx.meta.get(__name__)
    if isinstance(known, Config):
        return known
    found = ctx.meta[__name__] = find_config(folder_of(ctx))
    return found


def folder_of(ctx: click.Context) -> Path:
    """The directory of a command, from `-C` before and after it."""
    parts = [c.params.get("directory") for c in dict.fromkeys((ctx.find_root(), ctx))]
    return Path(*(part for part in parts if part))


def find_config(folder: Path) -> Config:
    """The nearest file in `folder` or above it, up to the root of the repository. Outside of
    repositories, only that in `folder`: others may have written those above it."""
    resolved = folder.resolve()
    root = repository_root(folder) or resolved
    for top in (resolved, *resolved.parents):
        for name in (NAME, PYPROJECT):
            path = top / name
            exists = path.is_file() or (name == NAME and os.path.lexists(path))
            if exists and (found := _read(path, folder)) is not None:
                return found
        if top == root:
            break
    return NO_CONFIG


def _read(path: Path, folder: Path) -> Config | None:
    """The values of a file; None for a `pyproject.toml` without `[tool.taskctl]`."""
    shown = Path(os.path.relpath(path, folder.resolve())).as_posix()
    is_own = path.name == NAME
    refuse_link_out(folder, shown, "config")
    try:
        data = disk.read_start(path, limits.CONFIG_BYTES)
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise TaskctlError([_problem("unreadable", Place(shown), why=why)]) from problem
    if not is_own and b"taskctl" not in data:
        return None
    table: object = _parsed(data, shown)
    if not is_own:
        tool = table.get("tool") if isinstance(table, dict) else None
        table = tool.get("taskctl") if isinstance(tool, dict) else None
        if table is None:
            return None
    if not isinstance(table, dict):
        raise TaskctlError([_problem("table", Place(shown))])
    values: dict[str, Any] = {}
    lines = _lines(data.decode("utf-8", "replace"), own_file=is_own)
    where = ConfigLocation(path.parent, folder)
    problems: list[Diagnostic] = []
    for key, value in table.items():
        problems += _checked(key, value, where, values, Place(shown, lines.get(key)))
        if len(problems) == _MAX_PROBLEMS:
            break
    if problems:
        raise TaskctlError(problems)
    return Config(shown, values)


def _parsed(data: bytes, shown: str) -> object:
    import tomllib

    if re.search(_LONG_KEY, data):
        raise TaskctlError([_problem("parts", Place(shown), most=_MAX_PARTS)])
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise TaskctlError([_problem("encoding", Place(shown))]) from problem
    except tomllib.TOMLDecodeError as problem:
        found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(problem))
        what, line, column = found.groups() if found else (str(problem), None, None)
        place = Place(shown, int(line) if line else None, int(column) if column else None)
        what = what[:1].lower() + what[1:]
        raise TaskctlError([_problem("toml", place, why=what)]) from problem
    except (ValueError, RecursionError) as problem:
        raise TaskctlError([_problem("extreme", Place(shown))]) from problem


def _checked(
    key: str, value: object, where: ConfigLocation, values: dict[str, Any], place: Place
) -> Iterator[Diagnostic]:
    """Adds the value to `values`, or yields the problem."""
    if key in FORBIDDEN:
        yield error(Code.FORBIDDEN_SETTING, key, at=place, setting=key)
    elif key not in KEYS:
        from difflib import get_close_matches

        near = get_close_matches(key.replace("_", "-").lower(), KEYS, n=1)
        facts = {"near": near[0]} if near else {"known": tuple(KEYS)}
        yield _problem("near" if near else "unknown", place, setting=key, **facts)
    else:
        try:
            values[key.replace("-", "_")] = KEYS[key](value, where)
        except RemarkError as problem:
            yield _problem(problem.case, place, setting=key, **problem.facts)


def _problem(case: str, place: Place, **facts: Any) -> Diagnostic:
    return error(Code.INVALID_CONFIG, case, at=place, **facts)


def _lines(text: str, *, own_file: bool) -> dict[str, int]:
    """The first line that sets each key, which tomllib does not provide."""
    found: dict[str, int] = {}
    inside = own_file
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("[") and not own_file:
            inside = re.match(r"\s*\[\s*tool\s*\.\s*taskctl\s*[\].]", line) is not None
        elif inside and (name := re.match(r"([^=.]*+)[=.]", line)) is not None:
            found.setdefault(name[1].strip().strip("\"'"), number)
    return found
