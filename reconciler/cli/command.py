"""Builds commands: their shared options, and the `Call` that their functions receive."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from reconciler.app.settings import Connection, ReportFile
from reconciler.cli import options
from reconciler.cli.help import NAMES, Examples, WithExamples, format_of
from reconciler.cli.usage import UsageError, not_among
from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import MAX_ALIKE
from reconciler.model.options import PlanOptions
from reconciler.model.value import replace
from reconciler.render import BASIC_FORMATS, FORMATS

if TYPE_CHECKING:
    from reconciler.app.context import Context
    from reconciler.cli.console.output import Output
    from reconciler.cli.suggestions import Suggestions

CommandFunction = Callable[..., int | None]
"""A command function: takes a `Call` and its own options, returns the exit code (None: 0)."""

_TYPED = "reconciler.cli.command.typed"
_STDOUT = ("", "-", "/dev/stdout", "/dev/fd/1")
_COLLECTED = {*options.PLAN_NAMES, *Connection.__struct_fields__, *NAMES, "reports", "all_problems"}


class Call:
    """One invocation of a command: its output, and the context of its use case, which is closed
    with `closes` when the command ends."""

    def __init__(self, ctx: click.Context, out: Output, closes: ExitStack) -> None:
        self.click, self.out, self._closes = ctx, out, closes

    @cached_property
    def ctx(self) -> Context:
        from reconciler.app.context import Context

        connection = options.connection_of(self.click)
        return self._closes.enter_context(Context(self.out, self.out.settings, connection))

    @cached_property
    def suggestions(self) -> Suggestions:
        from reconciler.cli.suggestions import Suggestions

        return Suggestions(self.click, self.click.meta[_TYPED])

    @cached_property
    def options(self) -> PlanOptions:
        return options.plan_options_of(self.click)

    @property
    def given(self) -> frozenset[str]:
        """The names of these options that were given for this run."""
        return options.plan_options_given(self.click)


class Command(WithExamples):
    """A command whose function is called with a `Call` and its own options."""

    reads_config = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            args = _with_optional_values(args)
            ctx.meta[_TYPED] = tuple(args)
            return super().parse_args(ctx, args)
        except click.UsageError as problem:
            problem.ctx = problem.ctx or ctx  # to suggest the help of this command
            raise

    def invoke(self, ctx: click.Context) -> object:
        from reconciler.cli.config import config_of

        own = {name: value for name, value in ctx.params.items() if name not in _COLLECTED}
        root = ctx.find_root()
        before = root.params if root is not ctx else {}
        closes = ExitStack()
        call = Call(ctx, _output(ctx, before, self.formats), closes)
        root.obj = call.out
        call.out.commands = RunCommands(call)
        if (file := config_of(ctx).file) is not None:
            call.out.detail("config", file=os.path.relpath(file))
        with ctx.scope(cleanup=False), closes:
            return self.callback(call, **own) if self.callback is not None else None


class Group(WithExamples, click.Group):
    """Commands below a command."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Their names, with the first sentence of their help."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(limit=1000))
                    for name, command in sorted(self.commands.items())
                ]
            )


class RunCommands(Commands):
    """Prints suggested commands with the options of this call, or as other users can run them."""

    def __init__(self, call: Call, *, shared: bool = False) -> None:
        self._call, self._shared = call, shared

    def lines(self, command: str) -> Sequence[str]:
        from reconciler.cli.run_workflow import COMMANDS, RunWorkflow

        suggestions = self._call.suggestions
        if not command.startswith(COMMANDS):
            return (suggestions.complete(command),)
        workflow = RunWorkflow(self._call.ctx.audience, suggestions)
        found = workflow.instead(command, shared=self._shared)
        return (suggestions.complete(command),) if found is None else found

    def for_everybody(self) -> Commands:
        return RunCommands(self._call, shared=True)


def make_command(
    name: str,
    *params: click.Parameter,
    examples: Examples,
    reports: bool = False,
    formats: Sequence[str] = (),
    text_only: bool = False,
    everyday: Collection[str] = (),
    exit_codes: Examples = (),
) -> Callable[[CommandFunction], Command]:
    """Turns a function into a command. `reports`: its result is a report, available in every
    format; `formats` are additional formats. `text_only`: its result is not a document."""
    basic = FORMATS if reports else BASIC_FORMATS

    def decorate(function: CommandFunction) -> Command:
        return Command(
            name,
            callback=function,
            params=[*params, *([_REPORT, _ALL_PROBLEMS] if reports else [])],
            help=function.__doc__,
            examples=examples,
            formats=("text",) if text_only else (*basic, *formats),
            everyday=everyday,
            exit_codes=exit_codes,
        )

    return decorate


def _reports(
    _ctx: click.Context, _param: click.Parameter, values: Sequence[str]
) -> tuple[ReportFile, ...]:
    """`FORMAT=FILE`."""
    reports: list[ReportFile] = []
    for value in values:
        name, _, file = value.partition("=")
        if name not in FORMATS:
            raise not_among(name, FORMATS)
        if file in _STDOUT:
            raise UsageError("reportFile", value=value)
        reports.append(ReportFile(name, file))
    files = [report.file for report in reports]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise UsageError("sameFile", file=twice)
    return tuple(reports)


_REPORT = click.Option(
    ["--report", "reports"],
    multiple=True,
    callback=_reports,
    metavar="FORMAT=FILE",
    shell_complete=lambda _ctx, _param, text: [f for f in FORMATS if f.startswith(text)],
    help=f"Also write a report to FILE: {', '.join(FORMATS)} (repeatable).",
)


_ALL_PROBLEMS = click.Option(
    ["--all-problems"],
    is_flag=True,
    help=f"Show every problem, not only the first {MAX_ALIKE} per code and file, and"
    " every note, not only the first per code.",
)


def _output(ctx: click.Context, before: dict[str, Any], formats: Sequence[str]) -> Output:
    """The output of a command. Options after the command take precedence over those `before` it."""
    from reconciler.cli.config import config_of, folder_of
    from reconciler.cli.console.output import Output, OutputOptions

    after, config = ctx.params, config_of(ctx)
    root = folder_of(ctx)
    if not root.is_dir():
        raise UsageError("directory", directory=str(root))
    return Output(
        OutputOptions(
            format=format_of(ctx, formats) or "text",
            color=after["color"] or before.get("color") or "auto",
            quiet=bool(after["quiet"] or before.get("quiet")),
            verbose=bool(after["verbose"] or before.get("verbose")),
            reports=after.get("reports", ()),
        ),
        replace(config.settings(root), all_problems=bool(after.get("all_problems"))),
    )


def _with_optional_values(args: Sequence[str]) -> list[str]:
    """The arguments, with `--allow-recreate=*` for an `--allow-recreate` without a value, so that
    click does not take the next argument as its value."""
    end = args.index("--") if "--" in args else len(args)
    bare, full = "--allow-recreate", "--allow-recreate=*"
    return [full if arg == bare else arg for arg in args[:end]] + list(args[end:])
