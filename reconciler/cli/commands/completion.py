"""`taskctl completion`: what a shell needs to complete commands, options, files and keys."""

from __future__ import annotations

import click

from reconciler.cli.console.output import Output
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "completion",
    examples=[
        (
            "taskctl completion bash > ~/.local/share/bash-completion/completions/taskctl",
            "for bash 4.4 or newer with the package bash-completion",
        ),
        ('eval "$(taskctl completion bash)"', "the same in ~/.bashrc, without that package"),
        ('taskctl completion zsh > "${fpath[1]}/_taskctl"', "for zsh; then start it anew"),
        ('eval "$(taskctl completion zsh)"', "the same in ~/.zshrc, after compinit"),
        (
            "taskctl completion fish > ~/.config/fish/completions/taskctl.fish",
            "for fish",
        ),
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
@common_options
def command(shell: str, out: Output) -> int:
    """Print the script by which a shell completes taskctl; keys of tasks are completed too."""
    from reconciler.cli.completion.shells import SHELLS

    root = click.get_current_context().find_root().command
    out.document(SHELLS[shell](root, {}, "taskctl", "_TASKCTL_COMPLETE").source() + "\n")
    return 0
