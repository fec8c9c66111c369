"""Completion for bash, zsh and fish: click's classes, with support for `--option=VALUE`."""

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


def _replaced(script: str, part: str, by: str) -> str:
    """A script of click with another part, which another version may not have."""
    if part not in script:
        raise ValueError(f"click's completion script has no {part!r}")
    return script.replace(part, by)


class Zsh(ZshComplete):
    """zsh has one word; `compset` keeps its beginning."""

    source_template = _replaced(
        _replaced(
            ZshComplete.source_template,
            "    for type key descr",
            "    compset -P 1 '--*='\n    for type key descr",
        ),
        "compadd -U",
        'compadd -U -i "$IPREFIX"',
    )


class Fish(FishComplete):
    """fish has one word, and replaces all of it. Descriptions may contain commas."""

    source_template = _replaced(
        FishComplete.source_template, 'string split ","', 'string split --max 1 ","'
    )

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        found = super().get_completions(args, incomplete)
        name, equals, _ = incomplete.partition("=")
        if equals and name.startswith("--"):
            for item in found:
                item.value = f"{name}={item.value}"
        return found


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def register() -> None:
    for shell in SHELLS.values():
        add_completion_class(shell)
