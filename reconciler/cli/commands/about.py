"""`taskctl schema | completion | help | version`: print information about taskctl itself."""

from __future__ import annotations

import click

from reconciler import __version__
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import argument
from reconciler.cli.usage import UsageError

SCHEMAS = (
    *("manifest", "state"),
    *("plan", "apply", "status", "wait", "results", "inbox", "show", "state-list", "validate"),
)
"""The names of the schemas: two for files, then one for each document of `--format json`."""


@make_command(
    "schema",
    argument(
        "name",
        "[NAME]",
        type=click.Choice(SCHEMAS),
        default="manifest",
    ),
    examples=[
        ("taskctl schema > manifest.schema.json", "the schema of manifests, for an editor"),
        ("taskctl schema plan", "the schema of `taskctl plan --format json`"),
    ],
)
def schema_command(call: Call, name: str) -> int:
    """Print a JSON Schema: of manifests, of the state file, or of the output of a command.

    NAME is manifest (the default), state, or a command whose `--format json` it describes: plan,
    apply, status, wait, results, inbox, show (of a key), state-list, or validate.

    An editor with yaml-language-server uses it for a manifest that begins with
    `# yaml-language-server: $schema=PATH`.
    """
    from reconciler.resources import schema_text

    call.out.document(schema_text(name))
    return 0


@make_command(
    "completion",
    argument("shell", "bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"])),
    examples=[
        (
            "taskctl completion bash > ~/.local/share/bash-completion/completions/taskctl",
            "for bash 4.4 or newer with the package bash-completion",
        ),
        ('eval "$(taskctl completion bash)"', "the same in ~/.bashrc, without that package"),
        ('taskctl completion zsh > "${fpath[1]}/_taskctl"', "for zsh; then restart it"),
        ('eval "$(taskctl completion zsh)"', "the same in ~/.zshrc, after compinit"),
        ("taskctl completion fish > ~/.config/fish/completions/taskctl.fish", "for fish"),
    ],
)
def completion_command(call: Call, shell: str) -> int:
    """Print a shell completion script. It also completes task keys."""
    from reconciler.cli.completion.shells import SHELLS

    root = call.click.find_root().command
    call.out.document(SHELLS[shell](root, {}, "taskctl", "_TASKCTL_COMPLETE").source() + "\n")
    return 0


@make_command(
    "help",
    argument("names", "[COMMAND]...", nargs=-1),
    examples=[("taskctl help plan", "options and examples of plan")],
)
def help_command(call: Call, names: tuple[str, ...]) -> int:
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


@make_command("version", examples=[("taskctl version --format json", "for a program")])
def version_command(call: Call) -> int:
    """Print the version."""
    from reconciler.render.document import json_document

    call.out.result(
        lambda: json_document(version=__version__), lambda _style: f"taskctl {__version__}\n"
    )
    return 0
