"""The options that all commands share, read once into plain values (contract, section 3)."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler.cli.completion.candidates import files
from reconciler.cli.config.file import Config, config_of
from reconciler.cli.console.output import Output
from reconciler.cli.options.common import Common, ReportFile
from reconciler.cli.options.help import (
    NAMES,
    Run,
    WithExamples,
    shared_options,
    shared_report_options,
    with_options,
)
from reconciler.render import BASIC_FORMATS, FORMATS


class Command(WithExamples):
    """A command as they all are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, _with_optional_values(args))
        except click.UsageError as problem:
            problem.ctx = problem.ctx or ctx  # the parser knows none, and help is asked of this one
            raise


def make_command(name: str, *, examples: Sequence[tuple[str, str]]) -> Callable[[Run], Command]:
    """Makes a command of a function; `examples` are pairs of a command line and what it is for."""

    def decorate(function: Run) -> Command:
        made: Command = click.command(name, cls=Command, examples=examples)(function)
        return made

    return decorate


def common_options(function: Run) -> Run:
    """Gives the command `out: Output`; its settings are `out.common`."""
    return shared_options(_with_output(function))


def report_options(function: Run) -> Run:
    """The same for a command that has a report: in every format, and in files beside stdout."""
    return shared_report_options(with_options(_with_output(function), [_REPORT]))


def _with_output(function: Run) -> Run:
    @functools.wraps(function)
    def gathered(**values: Any) -> int | None:
        own = {name: values.pop(name) for name in (*NAMES, "reports") if name in values}
        context = click.get_current_context()
        root = context.find_root()
        common = _common(root.params if root is not context else {}, own)
        root.obj = out = Output(common)
        config = config_of(context)
        root.obj = out = Output(_configured(common, config))
        if config.file is not None:
            out.detail(f"config: {config.file}")
        return function(out=out, **values)

    return gathered


class Group(WithExamples, click.Group):
    """Commands below a command."""


paths_argument = click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=files)
"""Gives the command `paths: tuple[str, ...]` as they were typed."""


def _reports(
    ctx: click.Context, param: click.Parameter, values: Sequence[str]
) -> tuple[ReportFile, ...]:
    """`FORMAT[=FILE]`; without a file, and for `-` and the like, it is for stdout."""
    reports: list[ReportFile] = []
    for value in values:
        name, equals, file = value.partition("=")
        if name not in FORMATS:
            known = ", ".join(FORMATS)
            raise click.BadParameter(f"{name!r} is no format; there are {known}", ctx, param)
        if equals and not file:
            raise click.BadParameter(f"{value!r} names no file after '='", ctx, param)
        reports.append(ReportFile(name, None if file in _STDOUT else file))
    files = [report.file for report in reports if report.file is not None]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise click.BadParameter(f"two reports cannot be one file, {twice!r}", ctx, param)
    return tuple(reports)


def _formats(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in FORMATS if name.startswith(incomplete)]


_STDOUT = ("", "-", "/dev/stdout", "/dev/fd/1")
_REPORT = click.option(
    "--report",
    "reports",
    multiple=True,
    callback=_reports,
    metavar="FORMAT[=FILE]",
    shell_complete=_formats,
    help=f"A report to FILE beside the result, or as the result: {', '.join(FORMATS)} "
    "(repeatable).",
)


def _common(before: dict[str, Any], after: dict[str, Any]) -> Common:
    """What stands after the command wins; a folder is taken from the one before it."""
    parts = [values["directory"] for values in (before, after) if values.get("directory")]
    root = Path(*parts) if parts else Path()
    if not root.is_dir():
        raise click.BadParameter(f"there is no folder {str(root)!r}", param_hint="'-C'")
    return Common(
        root=root,
        format=_result_format(before.get("format_name"), after),
        color=after["color"] or before.get("color") or "",
        quiet=bool(after["quiet"] or before.get("quiet")),
        verbose=bool(after["verbose"] or before.get("verbose")),
        reports=tuple(report for report in after.get("reports", ()) if report.file is not None),
    )


def _configured(common: Common, config: Config) -> Common:
    """With what a configuration file says, where nothing else did: NO_COLOR is heard before it."""
    color = None if os.environ.get("NO_COLOR") else config.values.get("color")
    return replace(common, color=common.color or color or "auto", config=config)


def _result_format(before: str | None, after: dict[str, Any]) -> str:
    """The one format of stdout: of `--format`, or of the `--report` that names no file."""
    asked = after["format_name"] or before
    if "reports" not in after and asked is not None and asked not in BASIC_FORMATS:
        known = " or ".join(BASIC_FORMATS)
        raise click.BadParameter(f"this command gives {known}, no {asked}", param_hint="'--format'")
    formats = [report.format for report in after.get("reports", ()) if report.file is None]
    formats = [*([asked] if asked is not None else []), *formats]
    if len(formats) > 1:
        raise click.UsageError(
            f"stdout takes one report, not {' and '.join(formats)}; "
            f"give the others a file: --report {formats[-1]}=FILE"
        )
    return formats[0] if formats else "text"


def _with_optional_values(args: Sequence[str]) -> list[str]:
    """`--allow-recreate` alone means every key; it never takes the word after it for one."""
    end = args.index("--") if "--" in args else len(args)
    bare, full = "--allow-recreate", "--allow-recreate=*"
    return [full if arg == bare else arg for arg in args[:end]] + list(args[end:])
