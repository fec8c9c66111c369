"""Completes suggested commands with the options and PATHs of this run, so that they can be pasted.

Options from environment variables need no completion: the shell still has them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from reconciler.app.plan_file import is_plan_file
from reconciler.cli.options import PLAN_NAMES
from reconciler.model.shell import shell_word

CARRIED = frozenset({"directory", "backend", "state", "org", "target"})
"""The parameters that select the tasks and the state of a command."""

_OF_PLANS = CARRIED | PLAN_NAMES | {"at"}
"""The parameters that determine the content of a plan."""

_TRY_AGAIN = frozenset({"expect_plan", "over_budget", "max_creates"})
"""The parameters of suggested commands that apply the plan of this run."""


class Suggestions:
    """`given` are the words of this run's parameters, by name, as typed."""

    def __init__(self, ctx: click.Context, args: Sequence[str]) -> None:
        self._root, self.name = ctx.find_root(), ctx.command.name
        before = self._root.params.get("directory")
        self.given = {"directory": str(before)} if before else {}
        self.given |= _typed(ctx.command, self._root, args)

    def complete(self, line: str) -> str:
        """The command, with this run's parameters that it lacks."""
        parsed = None if "--help" in line else self.parsed(line)
        if parsed is None:
            return line
        return " ".join([line, *map(shell_word, self._added(*parsed))])

    def parsed(self, line: str) -> tuple[click.Command, dict[str, Any]] | None:
        """The command and the texts of its parameters, by name; None for placeholders that no
        option accepts."""
        command: click.Command | None = self._root.command
        try:
            words = shlex.split(line)[1:]
            while isinstance(command, click.Group) and words:
                command = command.get_command(self._root, words.pop(0))
            return None if command is None else (command, _typed(command, self._root, words))
        except (ValueError, click.UsageError):
            return None

    def options_of_apply(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The options and PATHs of an apply with these texts; for a saved plan, the options of the
        run that saved it."""
        paths = list(self._manifests(own.get("paths") or ()))
        made = {} if paths else {n: v for n, v in self.given.items() if n in _OF_PLANS}
        is_saved = bool(own.get("paths")) and not paths
        return {**(made if is_saved else {}), **own, "paths": paths}

    def _added(self, command: click.Command, own: Mapping[str, Any]) -> Iterator[str]:
        is_plan = command.name == "plan" or not _TRY_AGAIN.isdisjoint(own)
        runs_again = "yes" in own and command.name == self.name
        for param in command.params:
            if param.name == "org" and self.name == "import" != command.name:
                continue  # the manifest names it
            is_carried = runs_again or param.name in (_OF_PLANS if is_plan else CARRIED)
            if isinstance(param, click.Option) and is_carried and param.name not in own:
                value: Any = self.given.get(param.name or "", [])
                for each in value if isinstance(value, list) else [value]:
                    # `state init ADDRESS` needs no --state
                    if param.name != "state" or each not in own.values():
                        yield from _words(param, each)
        if any(param.name == "paths" for param in command.params) and not own.get("paths"):
            yield from self._manifests(self.given.get("paths") or ())

    def _manifests(self, paths: Iterable[str]) -> Iterator[str]:
        folder = Path(str(self.given.get("directory") or "."))
        yield from (path for path in paths if not is_plan_file(folder / path))


def _typed(command: click.Command, root: click.Context, args: Sequence[str]) -> dict[str, Any]:
    """The command's parameters that are given in `args`, by name, as typed."""
    found, _, _ = _parser(command, root).parse_args(list(args))
    kinds = (str, list, tuple, bool)  # not click's marker for unset values
    return {name: value for name, value in found.items() if value and isinstance(value, kinds)}


@lru_cache(maxsize=8)
def _parser(command: click.Command, root: click.Context) -> Any:
    """The parser of a command, cached because a plan may suggest a command for each task. The
    context of a command, unlike that of a group, permits options after arguments."""
    return command.make_parser(click.Context(command, parent=root))


def _words(param: click.Parameter, value: object) -> Iterator[str]:
    name = max(param.opts, key=len)
    if isinstance(param, click.Option) and param.is_flag:
        yield name
    elif name == "--allow-recreate":  # its value is optional
        yield f"{name}={value}"
    else:
        yield from (name, str(value))
