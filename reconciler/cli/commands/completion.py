"""`taskctl completion`: prints a shell completion script."""

from __future__ import annotations

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import argument


@make_command(
    "completion",
    argument("shell", "bash|zsh|fish", type=click.Choice(["bash", "zsh", "fish"])),
    text_only=True,
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
def command(call: Call, shell: str) -> int:
    """Print a shell completion script. It also completes task keys."""
    from reconciler.cli.completion.shells import SHELLS

    root = call.click.find_root().command
    call.out.document(SHELLS[shell](root, {}, "taskctl", "_TASKCTL_COMPLETE").source() + "\n")
    return 0
