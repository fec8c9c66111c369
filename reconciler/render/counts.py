"""Counts in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def counted(number: int, word: str) -> str:
    """`1 task`, `2,000 tasks`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def listed(numbers: Iterable[tuple[str, int]], labels: Mapping[str, str]) -> str:
    """`0 created, 2 not started`: the first number, and all others that are not 0."""
    return ", ".join(
        f"{number:,} {labelled(word, number, labels)}"
        for place, (word, number) in enumerate(numbers)
        if number or not place
    )


def labelled(word: str, number: int, labels: Mapping[str, str]) -> str:
    """What a count is called: `to create`, `differs`."""
    return labels.get(word, word).replace("{s}", "s" if number == 1 else "")
