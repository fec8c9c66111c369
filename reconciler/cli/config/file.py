"""Settings from a file of the repository: `taskctl.toml`, or `[tool.taskctl]` in `pyproject.toml`.

Anyone who can write to the repository can write this file, so it contains nothing that decides
where a token goes or whom a task belongs to (contract, section 3), and its paths stay in the
repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from reconciler.app.context import Settings
from reconciler.cli.config.values import APART, FORBIDDEN, KEYS, ConfigError, Where
from reconciler.manifest.repository import link_out, read_regular, repository_root
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error
from reconciler.model.errors import TaskctlError

NAME = "taskctl.toml"
PYPROJECT = "pyproject.toml"
LARGEST = 1 << 20
"""Bytes that are read; a larger file is cut off, and so invalid."""

_PLACE = re.compile(r"(.*) \(at line (\d+), column (\d+)\)")


class Config(NamedTuple):
    """What the file sets, by the names of option parameters. `file` is the file as the user would
    write it, None if there is none; paths are relative to the working directory."""

    file: str | None
    values: Mapping[str, Any]

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of options (click's `default_map`)."""
        return {name: value for name, value in self.values.items() if name not in APART}

    def settings(self, root: Path) -> Settings:
        """What it sets that is no option's default, for a command that works in `root`."""
        names = ("paths", "policy", "state", "max_creates", "apply_as")
        own = {name: self.values[name] for name in names if name in self.values}
        return Settings(root=root, config_file=self.file, **own)


NO_CONFIG = Config(None, {})


def config_of(ctx: click.Context) -> Config:
    """The configuration for a command, read once. TaskctlError for a file with errors."""
    known = ctx.meta.get(__name__)
    if isinstance(known, Config):
        return known
    found = ctx.meta[__name__] = find_config(folder_of(ctx))
    return found


def folder_of(ctx: click.Context) -> Path:
    """The directory that a command works in: that of `-C`, before it or after it."""
    parts = [c.params.get("directory") for c in dict.fromkeys((ctx.find_root(), ctx))]
    return Path(*(part for part in parts if part))


def find_config(folder: Path) -> Config:
    """The nearest one at or above `folder`, up to the root of its repository or file system."""
    resolved, root = folder.resolve(), repository_root(folder)
    for top in (resolved, *resolved.parents):
        for name in (NAME, PYPROJECT):
            path = top / name
            is_there = path.is_file() or (name == NAME and os.path.lexists(path))
            if is_there and (found := _read(path, folder)) is not None:
                return found
        if top == root:
            break
    return NO_CONFIG


def _read(path: Path, folder: Path) -> Config | None:
    """The file's settings; None for a `pyproject.toml` that has none."""
    shown = Path(os.path.relpath(path, folder.resolve())).as_posix()
    is_own = path.name == NAME
    if (target := link_out(path, folder)) is not None:
        told = error(Code.OUTSIDE_REPOSITORY, "config", at=Place(shown), target=target)
        raise TaskctlError([told])
    try:
        data = read_regular(path, LARGEST)
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
    lines = data.decode("utf-8", "replace").split("\n")
    where = Where(path.parent, folder)
    problems: list[Diagnostic] = []
    for key, value in table.items():
        place = Place(shown, _line_of(lines, key, own_file=is_own))
        problems += _checked(key, value, where, values, place)
    if problems:
        raise TaskctlError(problems)
    return Config(shown, values)


def _parsed(data: bytes, shown: str) -> object:
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise TaskctlError([_problem("encoding", Place(shown))]) from problem
    except tomllib.TOMLDecodeError as problem:
        found = _PLACE.fullmatch(str(problem))
        what, line, column = found.groups() if found else (str(problem), None, None)
        place = Place(shown, int(line) if line else None, int(column) if column else None)
        what = what[:1].lower() + what[1:]
        raise TaskctlError([_problem("toml", place, why=what)]) from problem


def _checked(
    key: str, value: object, where: Where, values: dict[str, Any], place: Place
) -> Iterator[Diagnostic]:
    """Adds to `values`, or gives the problem."""
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
        except ConfigError as problem:
            yield _problem(problem.case, place, setting=key, **problem.facts)


def _problem(case: str, place: Place, **facts: Any) -> Diagnostic:
    return error(Code.INVALID_CONFIG, case, at=place, **facts)


def _line_of(lines: list[str], key: str, *, own_file: bool) -> int | None:
    """The line that sets a key; tomllib does not tell."""
    sets = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]")
    inside = own_file
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("[") and not own_file:
            inside = re.match(r"\s*\[\s*tool\s*\.\s*taskctl\s*[\].]", line) is not None
        if inside and key and sets.match(line):
            return number
    return None
