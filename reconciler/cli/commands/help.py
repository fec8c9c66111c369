"""`taskctl help`: shows the help of a command."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import argument
from reconciler.cli.usage import UsageError


@make_command(
    "help",
    argument("names", "[COMMAND]...", nargs=-1),
    text_only=True,
    examples=[("taskctl help plan", "options and examples of plan")],
)
def command(call: Call, names: tuple[str, ...]) -> int:
    """Show help for a command."""
    ctx = call.click.find_root()
    found: click.Command = ctx.command
    for name in names:
        below = found.get_command(ctx, name) if isinstance(found, click.Group) else None
        if below is None:
            raise UsageError("command", ctx, name=" ".join(names))
        ctx, found = click.Context(below, parent=ctx, info_name=name), below
    call.out.document(found.get_help(ctx) + "\n")
    return 0
