"""Completion for bash, zsh and fish: click's classes, with keys that bash splits."""

from __future__ import annotations

from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
)


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
    """Makes click use what replaces a class of its own."""
    add_completion_class(Bash)
