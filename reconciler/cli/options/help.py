"""What every command's help has: the options that may stand before it too, and examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from reconciler.render import BASIC_FORMATS, FORMATS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Run = Callable[..., int | None]
"""What a command is: keyword arguments in, exit code out (None: 0)."""

NAMES = ("directory", "format_name", "color", "quiet", "verbose")


def _folders(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


_DIRECTORY = click.option(
    "-C", "directory", metavar="DIR", shell_complete=_folders, help="Work in this folder."
)
_OPTIONS = [
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        help="Colors; auto: on a terminal, unless NO_COLOR is set.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but what went wrong."),
    click.option("-v", "--verbose", is_flag=True, help="Say more; whole prompts, too."),
]


def shared_options(function: Run) -> Run:
    """Those of a command whose result is text or a JSON document."""
    return with_options(function, [_DIRECTORY, _format(BASIC_FORMATS), *_OPTIONS])


def shared_report_options(function: Run) -> Run:
    """Those of a command whose result is a report, and of what stands before any command."""
    return with_options(function, [_DIRECTORY, _format(FORMATS), *_OPTIONS])


def _format(names: Iterable[str]) -> Callable[[Run], Run]:
    kinds = click.Choice(list(names))
    return click.option("--format", "format_name", type=kinds, help="Form of the result.")


def with_options(function: Run, options: Sequence[Callable[[Run], Run]]) -> Run:
    """Adds options so that help lists them in their order."""
    for option in reversed(options):
        function = option(function)
    return function


class WithExamples(click.Command):
    """Its help ends with examples: pairs of a command line and what it is for."""

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Examples"):
            for line, why in self.examples:
                indent = " " * formatter.current_indent
                formatter.write(f"{indent}{line}\n{indent}    {why}\n")
