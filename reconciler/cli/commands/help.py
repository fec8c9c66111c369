"""`taskctl help`: shows the help of a command."""

from __future__ import annotations

import click

from reconciler.cli.help import printing_command


@printing_command(
    "help",
    click.Argument(["names"], metavar="[COMMAND]...", nargs=-1),
    examples=[("taskctl help plan", "options and examples of plan")],
)
def command(ctx: click.Context, _format_name: str, names: tuple[str, ...]) -> str:
    """Show help for a command."""
    ctx = ctx.find_root()
    described = ctx.command
    for name in names:
        below = described.get_command(ctx, name) if isinstance(described, click.Group) else None
        if below is None:
            from reconciler.cli.usage import UsageError

            raise UsageError("command", ctx, name=" ".join(names))
        ctx, described = click.Context(below, parent=ctx, info_name=name), below
    return described.get_help(ctx) + "\n"
