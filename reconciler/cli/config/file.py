"""Settings from a file of the repository: `taskctl.toml`, or `[tool.taskctl]` in `pyproject.toml`.

Whoever can write to the repository can write this file, so it holds nothing that decides where a
token goes or whom a task belongs to (contract, section 3), and its paths stay in the repository.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli.config.values import KEYS, NEVER, ConfigError, Where
from reconciler.manifest.repository import repository_root
from reconciler.model.diagnostics import Diagnostic, error
from reconciler.model.errors import TaskctlError
from reconciler.model.options import PlanOptions

NAME = "taskctl.toml"
PYPROJECT = "pyproject.toml"

_APART = {"paths", "policy", "state", "max_creates", "color"}
"""What is more to them than the place of an option that was not given."""

_PLACE = re.compile(r"(.*) \(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True)
class Config:
    """What the file sets. `values` are those of options, by the names of their parameters.

    `file` is the file as the user would write it, None where there is none. `paths` stand in for
    the usual places of manifests; they and `state` are seen from the folder a command works in.
    """

    file: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.values.get("paths", ()))

    def fill(self, given: dict[str, Any], context: click.Context) -> None:
        """Puts in its own where neither the command line nor the environment had a say."""
        for name in given.keys() & self.values.keys() - _APART:
            if context.get_parameter_source(name) is ParameterSource.DEFAULT:
                given[name] = self.values[name]

    def taken_out(self, options: PlanOptions) -> PlanOptions:
        """The options without what they have from here: as if nobody had set it."""
        usual = PlanOptions()
        own = {
            name: getattr(usual, name)
            for name in {f.name for f in fields(options)} & self.values.keys() - _APART
            if getattr(options, name) == self.values[name]
        }
        return replace(options, **own)


NO_CONFIG = Config()


def config_of(context: click.Context) -> Config:
    """The configuration for a command, read once. Raises TaskctlError for a file with errors."""
    known = context.meta.get(__name__)
    if isinstance(known, Config):
        return known
    found = context.meta[__name__] = find_config(folder_of(context))
    return found


def folder_of(context: click.Context) -> Path:
    """The folder that a command works in: that of `-C`, before it or after it."""
    parts = [c.params.get("directory") for c in dict.fromkeys((context.find_root(), context))]
    return Path(*(part for part in parts if part))


def find_config(folder: Path) -> Config:
    """The nearest one at or above `folder`, up to the root of its repository or file system."""
    resolved, root = folder.resolve(), repository_root(folder)
    for top in (resolved, *resolved.parents):
        for name in (NAME, PYPROJECT):
            path = top / name
            if path.is_file() and (found := _read(path, folder)) is not None:
                return found
        if top == root:
            break
    return NO_CONFIG


def _read(path: Path, folder: Path) -> Config | None:
    """The file's settings; None for a `pyproject.toml` that has none."""
    shown = Path(os.path.relpath(path, folder.resolve())).as_posix()
    is_own = path.name == NAME
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise TaskctlError.of(f"cannot be read: {problem.strerror}", file=shown) from problem
    if not is_own and b"taskctl" not in data:
        return None
    table: object = _parsed(data, shown)
    if not is_own:
        tool = table.get("tool") if isinstance(table, dict) else None
        table = tool.get("taskctl") if isinstance(tool, dict) else None
        if table is None:
            return None
    values: dict[str, Any] = {}
    lines = data.decode("utf-8", "replace").split("\n")
    problems = [
        error(what, why, file=shown, line=_line_of(lines, key, own_file=is_own))
        for key, what, why in _checked(table, Where(path.parent, folder), values)
    ]
    if problems:
        raise TaskctlError(problems)
    return Config(shown, values)


def _parsed(data: bytes, shown: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise TaskctlError.of("is not UTF-8", file=shown) from problem
    except tomllib.TOMLDecodeError as problem:
        place = _PLACE.fullmatch(str(problem))
        what, line, column = place.groups() if place else (str(problem), None, None)
        raise TaskctlError([_no_toml(what, shown, line, column)]) from problem


def _no_toml(what: str, file: str, line: str | None, column: str | None) -> Diagnostic:
    return error(
        f"this is no TOML: {what[:1].lower()}{what[1:]}",
        file=file,
        line=int(line) if line else None,
        column=int(column) if column else None,
    )


def _checked(table: object, where: Where, values: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Fills `values`; gives key, what and why for each that cannot be taken."""
    if not isinstance(table, dict):
        yield "", "tool.taskctl: must be a table", ""
        return
    for key, value in table.items():
        if key in NEVER:
            yield key, f"{key}: cannot be set in a file of the repository", NEVER[key]
        elif key not in KEYS:
            yield key, f"{key}: is not known", _near(key)
        else:
            try:
                values[key.replace("-", "_")] = KEYS[key](value, where)
            except ConfigError as problem:
                yield key, f"{key}: {problem}", ""


def _near(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key.replace("_", "-").lower(), KEYS, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(KEYS)}."


def _line_of(lines: list[str], key: str, *, own_file: bool) -> int | None:
    """The line that sets a key; tomllib does not tell."""
    wanted = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]")
    inside = own_file
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("[") and not own_file:
            inside = re.match(r"\s*\[\s*tool\s*\.\s*taskctl\s*[\].]", line) is not None
        if inside and key and wanted.match(line):
            return number
    return None
