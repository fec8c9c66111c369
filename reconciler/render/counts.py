"""Counts in sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping


def counted(number: int, word: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def listed(
    numbers: Iterable[tuple[str, int]], labels: Mapping[str, str], usual: Collection[str]
) -> str:
    """`1 created, 2 not started`: the numbers that are not 0, and those of `usual`."""
    return ", ".join(
        f"{number} {labels.get(word, word)}" for word, number in numbers if number or word in usual
    )
