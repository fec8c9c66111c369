"""Help texts in sections, with examples, and the options that all commands share.

Imports nothing heavier than click, to keep `taskctl --help` fast.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from reconciler.model.address import documentation

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Examples = Sequence[tuple[str, str]]
"""Pairs of a command line and its purpose, or of an exit code and its meaning."""


NAMES = ("directory", "format_name", "color", "quiet", "verbose")
"""The parameters of the shared options."""


OWN = "Options"
ELSEWHERE = {"json": "--format json", "chdir": "-C"}
"""Options of other programs, without dashes, and the options that do the same here."""

SECTIONS = {
    "target": "Which tasks",
    **dict.fromkeys(
        ("update", "replace", "retry", "allow_recreate"),
        "Existing tasks",
    ),
    **dict.fromkeys(("max_creates", "over_budget", "settle_time"), "Limits"),
    **dict.fromkeys(
        ("backend", "org", "state", "parallelism", "lock_timeout"), "Service and state"
    ),
    **dict.fromkeys(("reports", "format_name", "all_problems"), "Output"),
    **dict.fromkeys(
        ("directory", "color", "quiet", "verbose", "version", "show_help", "show_all"), "General"
    ),
}
"""The section of an option in the help, by its parameter. Any other option belongs to its command,
and comes first."""


def printing_option(
    *names: str, text: Callable[[click.Context], str], purpose: str
) -> click.Option:
    """A flag that prints a text and ends the command.

    click's own `--help` and `--version` search for translations of their help, which takes longer
    than all other work of a short command.
    """

    def show(ctx: click.Context, _param: click.Parameter, value: object) -> None:
        if value and not ctx.resilient_parsing:
            click.echo(text(ctx), color=ctx.color)
            ctx.exit()

    return click.Option(
        names, is_flag=True, expose_value=False, is_eager=True, callback=show, help=purpose
    )


_HELP = printing_option(
    *("-h", "--help", "show_help"),
    text=click.Context.get_help,
    purpose="Show this message and exit.",
)


_ALL = "reconciler.cli.help.all"


def _whole_help(ctx: click.Context) -> str:
    ctx.meta[_ALL] = True
    return ctx.get_help()


_HELP_ALL = printing_option(
    *("--help-all", "show_all"), text=_whole_help, purpose="Show all options, and exit."
)


class Choice(click.Choice[str]):
    """One of several words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            from reconciler.cli.usage import not_among

            raise not_among(str(value), tuple(self.choices))
        return super().convert(value, param, ctx)


class WithExamples(click.Command):
    """A command whose help ends with its `exit_codes`, if they are given, and examples. With
    `formats`, the output formats of its result, it also has the shared options. If `everyday`
    parameters are given, `--help` lists only these, and `--help-all` lists all."""

    reads_config = False

    def __init__(
        self,
        name: str,
        *,
        params: Iterable[click.Parameter] = (),
        examples: Examples = (),
        formats: Iterable[str] = (),
        everyday: Collection[str] = (),
        exit_codes: Examples = (),
        **kwargs: Any,
    ) -> None:
        self.examples, self.formats = examples, tuple(formats)
        self.exit_codes = exit_codes
        self._everyday = {*everyday, "show_help", "show_all"} if everyday else None
        shared = _shared_options(self.formats, self) if self.formats else []
        more = [_HELP_ALL] if everyday else []
        super().__init__(name, params=[*params, *shared, *more], **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        self._check_dashes(ctx, args)
        return super().parse_args(ctx, args)

    def _check_dashes(self, ctx: click.Context, args: Sequence[str]) -> None:
        """Rejects `-out=x`, which click would read as `-o ut=x`, and options of other programs."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        known = {name for param in options for name in param.opts}
        valued = {name for param in options if not param.is_flag for name in param.opts}
        words = iter(args)
        for word in words:
            given = word.partition("=")[0]
            if word == "--" or (isinstance(self, click.Group) and not word.startswith("-")):
                return
            if given in known or len(given) < 3 or not given.startswith("-"):
                if word in valued:
                    next(words, None)
                continue
            name = given.lstrip("-")
            near = ELSEWHERE.get(name, f"--{name}")
            if near.split(" ")[0] in known:
                from reconciler.cli.usage import UsageError

                raise UsageError("option", given=given, near=near)

    def get_help_option(self, ctx: click.Context) -> click.Option:
        del ctx
        return _HELP

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, and the options in sections."""
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        sections: dict[str, list[tuple[str, str]]] = {OWN: [], **{t: [] for t in SECTIONS.values()}}
        shown = None if ctx.meta.get(_ALL) else self._everyday
        for param in self.get_params(ctx):
            if shown is not None and param.name not in shown:
                continue
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections[SECTIONS.get(param.name or "", OWN)].append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.exit_codes:
            with formatter.section("Exit codes"):
                formatter.write_dl(self.exit_codes)
        with formatter.section("Examples"):
            for line, why in self.examples:
                indent = " " * formatter.current_indent
                formatter.write(f"{indent}{line}\n{indent}    {why}\n")
        if address := documentation(_page(ctx)):
            formatter.write(f"\nDocumentation: {address}\n")
            formatter.write(f"Terms: {documentation('glossary.md')}\n")


class PrintingCommand(WithExamples):
    """A command that prints the text that its function returns. It works despite an invalid
    configuration."""

    def invoke(self, ctx: click.Context) -> None:
        own = {name: value for name, value in ctx.params.items() if name not in NAMES}
        format_of(ctx, self.formats)  # only text
        if self.callback is not None:
            click.echo(self.callback(**own), nl=False)


def printing_command(
    name: str, *params: click.Parameter, examples: Examples
) -> Callable[[Callable[..., str]], PrintingCommand]:
    """Turns a function of the command's options into a command."""

    def decorate(function: Callable[..., str]) -> PrintingCommand:
        return PrintingCommand(
            name,
            callback=function,
            params=params,
            help=function.__doc__,
            examples=examples,
            formats=("text",),
        )

    return decorate


def format_of(ctx: click.Context, formats: Sequence[str]) -> str:
    """The format that `--format` asks for, before or after the command; empty if there is none."""
    asked: str = ctx.params.get("format_name") or ctx.find_root().params.get("format_name") or ""
    if asked and asked not in formats:
        from reconciler.cli.usage import UsageError

        raise UsageError("format", known=tuple(formats))
    return asked


def _page(ctx: click.Context) -> str:
    """The page of docs/ about a command."""
    names = ctx.command_path.split()[1:]
    return f"reference/commands/{names[0]}.md" if names else "index.md"


def _shared_options(formats: Sequence[str], command: click.Command) -> list[click.Parameter]:
    is_group = isinstance(command, click.Group)
    format_option = click.Option(
        ["--format", "format_name"],
        type=Choice(formats),
        metavar="FORMAT" if is_group else None,
        help="Output format. Each command's help lists its formats."
        if is_group
        else "Output format.",
    )
    return [
        click.Option(
            ["-C", "directory"],
            metavar="DIR",
            is_eager=True,
            callback=_configure,
            shell_complete=_folders,
            help="Run in this directory.",
        ),
        *([format_option] if len(formats) > 1 else []),
        click.Option(
            ["--color"],
            type=Choice(["auto", "always", "never"]),
            help="Use colors. auto: on a terminal; NO_COLOR and FORCE_COLOR are respected.",
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Print errors only."),
        click.Option(["-v", "--verbose"], is_flag=True, help="Print more, such as full prompts."),
    ]


def _configure(ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """The callback of `-C`: takes the defaults of all options from the configuration that applies
    in that directory. `-C` is eager, so click parses it before the others."""
    if isinstance(ctx.command, WithExamples) and ctx.command.reads_config:
        from reconciler.cli.config import config_of

        ctx.params["directory"] = value
        ctx.default_map = config_of(ctx).defaults
    return value


def _folders(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]
