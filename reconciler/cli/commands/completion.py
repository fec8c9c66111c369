"""`taskctl completion`: prints a shell completion script."""

from __future__ import annotations

import click

from reconciler.cli.help import printing_command


@printing_command(
    "completion",
    click.Argument(["shell"], metavar="bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"])),
    examples=[
        (
            "taskctl completion bash > ~/.local/share/bash-completion/completions/taskctl",
            "for bash 4.4 or newer with the package bash-completion",
        ),
        ('eval "$(taskctl completion bash)"', "in ~/.bashrc, without that package"),
        ('taskctl completion zsh > "${fpath[1]}/_taskctl"', "for zsh; then open a new shell"),
        ('eval "$(taskctl completion zsh)"', "in ~/.zshrc, after compinit"),
        ("taskctl completion fish > ~/.config/fish/completions/taskctl.fish", "for fish"),
    ],
)
def command(shell: str) -> str:
    """Print a shell completion script. It also completes task keys."""
    from reconciler.cli.completion.shells import SHELLS

    program = click.get_current_context().find_root().command
    script = SHELLS[shell](program, {}, "taskctl", "_TASKCTL_COMPLETE").source()
    return f"{script}\n"
