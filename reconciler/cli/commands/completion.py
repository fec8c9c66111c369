"""`taskctl completion`: prints a shell completion script."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)

from reconciler.cli.help import Choice, printing_command


@printing_command(
    "completion",
    click.Argument(["shell"], metavar="bash|zsh|fish", type=Choice(["bash", "zsh", "fish"])),
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
    program = click.get_current_context().find_root().command
    script = SHELLS[shell](program, {}, "taskctl", "_TASKCTL_COMPLETE").source()
    return f"{script}\n"


class Bash(BashComplete):
    """bash splits `--option=value` and `entry@row` into three words each, and replaces the last,
    unless another script has removed the sign from COMP_WORDBREAKS."""

    _kept = 0  # characters of the word that bash does not replace

    def get_completion_args(self) -> tuple[list[str], str]:
        args, last = super().get_completion_args()
        words: list[str] = []
        for place, word in enumerate(split := [*args, last]):
            if words and "@" in (word, split[place - 1]):
                words[-1] += word
            else:
                words.append(word)
        *args, incomplete = words
        self._kept = incomplete.rfind("@") + 1 if incomplete != last else 0
        return [arg for arg in args if arg != "="], incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        if item.type == "plain":
            item.value = item.value[self._kept :]
        return super().format_completion(item)


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": ZshComplete, "fish": FishComplete}


def register() -> None:
    """Replaces click's class for bash."""
    add_completion_class(Bash)
