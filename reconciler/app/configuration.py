"""The configuration file, `taskctl.toml`.

Anyone who can write to the repository can write this file. It must not control where tokens are
sent or which organization owns the tasks (SECURITY.md), and its paths must not leave the
repository. Its directory is the working directory of every command below it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reconciler.app.settings import Settings
from reconciler.app.toml_source import TomlSource
from reconciler.manifest.discovery import FOLDER, LONE_SUFFIX, normalized
from reconciler.manifest.links import Resolver
from reconciler.manifest.repository import (
    CONFIG,
    in_git,
    is_hidden,
    link_out,
    refuse_untrusted,
    repository_root,
    resolved,
)
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, TaskctlError, error
from reconciler.model.options import parse_duration
from reconciler.model.remarks import Arg, RemarkError
from reconciler.model.value import Value
from reconciler.system import disk

NAME = CONFIG

_MAX_PATHS = 1_000
_MAX_PROBLEMS = 100
_LONE = f"*{LONE_SUFFIX}"


# Values


def _invalid(case: str, **facts: Arg) -> RemarkError:
    return RemarkError(Code.INVALID_CONFIG, case, **facts)


class _Home(NamedTuple):
    """The directory of the file, and the root of its repository (or that directory, outside of
    repositories), both without links."""

    folder: Path
    top: Path


def _path(value: object, home: _Home) -> str:
    """A path relative to the directory. Raises RemarkError if it is outside the repository or
    hidden."""
    if not isinstance(value, str) or not 0 < len(value) <= limits.PATH_CHARACTERS:
        raise _invalid("path")
    try:
        found = Resolver().resolve(home.folder, value)
    except ValueError as problem:
        raise _invalid("path") from problem
    real = Path(found.path)
    inside = real.relative_to(home.top) if real.is_relative_to(home.top) else None
    if inside is None or in_git(inside):
        raise _invalid("outside", value=value, top=str(home.top))
    if found.is_cut_off:
        raise _invalid("links", value=value, most=limits.LINK_PARTS)
    if is_hidden(inside):
        raise _invalid("hidden", value=value)
    return normalized(os.path.relpath(value, home.folder) if Path(value).is_absolute() else value)


def _paths(value: object, home: _Home) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _invalid("paths")
    if len(value) > _MAX_PATHS:
        raise _invalid("many", most=_MAX_PATHS)
    return tuple(_path(each, home) for each in value)


def _number(least: int, most: int | None = None) -> Callable[[object, _Home], int]:
    def read(value: object, _home: _Home) -> int:
        if type(value) is not int or value < least:
            raise _invalid("number", least=least)
        if most is not None and value > most:
            raise _invalid("large", most=most)
        return value

    return read


def _duration(value: object, _home: _Home) -> str:
    if isinstance(value, str):
        try:
            parse_duration(value)
        except RemarkError:
            pass
        else:
            return value
    raise _invalid("duration")


def _identity(value: object, _home: _Home) -> str:
    kind, _, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind not in APPLY_AS or not name.strip():
        raise _invalid("identity")
    return f"{kind}:{name.strip()}"


def _state(value: object, _home: _Home) -> str:
    """The location of the state: only a remote of the clone, or the variable, so that a pull
    request cannot send prompts elsewhere."""
    if not isinstance(value, str) or not (value.startswith("git:") or value == STATE_VARIABLE):
        raise _invalid("address", variable=STATE_VARIABLE)
    return value


def _workflow(value: object, _home: _Home) -> str:
    """The file name of a workflow, checked because taskctl prints commands that contain it."""
    if not isinstance(value, str) or not _WORKFLOW.fullmatch(value):
        raise _invalid("workflow")
    return value


STATE_VARIABLE = "env:TASKCTL_STATE"
_WORKFLOW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\.ya?ml|\.gitlab-ci\.yml")


APPLY_AS = ("user-id", "team", "login")

KEYS: dict[str, Callable[[object, _Home], object]] = {
    "paths": _paths,
    "state": _state,
    "policy": _path,
    "run-workflow": _workflow,
    "parallelism": _number(1, limits.PARALLELISM),
    "lock-timeout": _duration,
    "settle-time": _duration,
    "max-creates": _number(0),
    "apply-as": _identity,
}

SETTINGS = frozenset({"paths", "policy", "state", "apply_as", "run_workflow"})
"""The fields of `Settings`; the others are defaults of options."""

FORBIDDEN = frozenset({"backend", "token", "org"})
"""Rejected keys, each with its own message."""


# The file


class Config(Value, frozen=True):
    """The values of a `file` (None: there is none), by parameter name. Paths are relative to its
    directory."""

    file: Path | None
    values: Mapping[str, Any]

    @property
    def defaults(self) -> dict[str, Any]:
        """The defaults of options (click's `default_map`)."""
        return {n: v for n, v in self.values.items() if n not in SETTINGS}

    def settings(self, folder: Path) -> Settings:
        """The settings of a command that was called in `folder`."""
        if self.file is None:
            return Settings(root=folder)
        home, is_here = self.file.parent, self.file.parent == folder.resolve()
        root = folder if is_here else Path(os.path.relpath(home))
        own = {name: self.values[name] for name in SETTINGS & self.values.keys()}
        return Settings(root=root, called_in=folder, config_file=self.file.name, **own)

    def places(self) -> set[Path]:
        """What a command without PATH reads: files, directories, or all `*.tasks.yaml` in a
        directory. No manifest is read through a link."""
        if self.file is None:
            return set()
        home = resolved(self.file.parent)
        paths = self.values.get("paths", (FOLDER, _LONE))
        return {Path(os.path.normpath(home / path)) for path in paths}


def places_of(manifest: Path) -> Iterator[Path]:
    """The places in which a command reads a manifest, which has no links in its path."""
    yield from (manifest, *manifest.parents)
    if manifest.name.endswith(LONE_SUFFIX):
        yield manifest.with_name(_LONE)


NO_CONFIG = Config(None, {})


def find_config(folder: Path) -> Config:
    """The nearest file in `folder` or above it, up to the root of the repository. Outside of
    repositories, only the file in `folder`: others may have written those above it. Raises
    TaskctlError for an invalid file, and for another user's file above `folder`."""
    real = resolved(folder)
    root = repository_root(folder) or real
    for top in (real, *real.parents):
        refuse_untrusted(top / NAME, real)
        if (found := config_in(top)) is not NO_CONFIG:
            return found
        if top == root:
            break
    return NO_CONFIG


def config_in(home: Path) -> Config:
    """The configuration in a directory. Raises TaskctlError if it is invalid."""
    path = home / NAME
    if not os.path.lexists(path):
        return NO_CONFIG
    name = Path(os.path.relpath(path)).as_posix()  # as the user would write it
    if (target := link_out(path.parent, path.name)) is not None:
        raise TaskctlError.of(Code.OUTSIDE_REPOSITORY, "config", at=Place(name), target=target)
    try:
        data = disk.read_start(path, limits.CONFIG_BYTES)
    except OSError as problem:
        why = problem.strerror or str(problem)
        at = Place(name)
        raise TaskctlError([error(Code.INVALID_CONFIG, "unreadable", at=at, why=why)]) from problem
    source = TomlSource(data, name)
    folder = resolved(home)
    place = _Home(folder, repository_root(folder) or folder)
    values: dict[str, Any] = {}
    problems: list[Diagnostic] = []
    for key, value in source.table().items():
        problems += _checked(key, value, place, values, source)
        if len(problems) == _MAX_PROBLEMS:
            break
    if problems:
        raise TaskctlError(problems)
    return Config(path, values)


def _checked(
    key: str, value: object, home: _Home, values: dict[str, Any], source: TomlSource
) -> Iterator[Diagnostic]:
    """Adds the value to `values`, or yields the problem."""
    if key in FORBIDDEN:
        yield source.problem_of_key(Code.FORBIDDEN_SETTING, key, key)
    elif key not in KEYS:
        from difflib import get_close_matches

        near = get_close_matches(key.replace("_", "-").lower(), KEYS, n=1)
        facts: dict[str, Arg] = {"near": near[0]} if near else {"known": tuple(KEYS)}
        case = "near" if near else "unknown"
        yield source.problem_of_key(Code.INVALID_CONFIG, case, key, **facts)
    else:
        try:
            values[key.replace("-", "_")] = KEYS[key](value, home)
        except RemarkError as problem:
            yield source.problem_of_value(problem, key)


_OF_PATHS = (Code.UNREADABLE_FILE, Code.NO_MANIFESTS, Code.OUTSIDE_REPOSITORY)


def at_settings(settings: Settings, problems: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The problems; those of a path that the configuration file sets are located in that file."""
    keys = dict.fromkeys(settings.paths, "paths")
    if settings.policy is not None:
        keys[settings.policy] = "policy"
    return [_at_setting(settings, problem, keys) for problem in problems]


def _at_setting(settings: Settings, problem: Diagnostic, keys: Mapping[str, str]) -> Diagnostic:
    path = str(problem.args.get("directory", problem.file))
    if settings.config_file is None or problem.code not in _OF_PATHS or path not in keys:
        return problem
    file = settings.root / settings.config_file
    source = TomlSource(disk.read_start(file, limits.CONFIG_BYTES), file.as_posix())
    return source.problem_of_item(problem, keys[path], path)
