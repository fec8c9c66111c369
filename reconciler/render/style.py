"""The appearance of reports: a style, a palette, counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partialmethod
from typing import TypeAlias

from reconciler.messages.commands import AS_WRITTEN, Commands
from reconciler.model.value import Value, replace
from reconciler.render.safe import linked

Locate: TypeAlias = "Callable[[str], str]"
"""Turns a file name into a path relative to the repository."""


class Palette:
    """Colors text that `safe` has escaped. Unless `on`, text is returned unchanged."""

    def __init__(self, *, on: bool = False) -> None:
        self.on = on

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text

    bold = partialmethod(_paint, "1")
    dim = partialmethod(_paint, "2")
    red = partialmethod(_paint, "31")
    green = partialmethod(_paint, "32")
    yellow = partialmethod(_paint, "33")
    magenta = partialmethod(_paint, "35")
    cyan = partialmethod(_paint, "36")
    blue = partialmethod(_paint, "94")

    def paint(self, color: str) -> Callable[[str], str]:
        """The method for a color, by its name."""
        paint: Callable[[str], str] = getattr(self, color)
        return paint


class Style(Value, frozen=True):
    """The appearance of a report; formats for programs ignore most of it.

    `terminal`: rows are at most `width` columns wide. `links`: the terminal supports hyperlinks.
    `diagnostics`: reports as text include diagnostics (other formats always do). `excerpts`:
    diagnostics show the line of the manifest. `locate` turns a file name into a path relative to
    the repository. `reported` has the results that were already written. `commands` completes
    suggested commands.
    """

    color: bool = False
    terminal: bool = False
    links: bool = False
    width: int = 80
    quiet: bool = False
    verbose: bool = False
    diagnostics: bool = True
    excerpts: bool = False
    locate: Locate = str
    reported: Collection[object] = ()
    commands: Commands = AS_WRITTEN

    @property
    def palette(self) -> Palette:
        return Palette(on=self.color)

    def link(self, text: str, url: str | None) -> str:
        """A text, which `safe` has escaped, as a hyperlink if the terminal supports them."""
        return linked(text, url) if self.links else text

    def indented(self, columns: int) -> Style:
        return replace(self, width=self.width - columns)


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
    """The label of a count: `to create`, `differs`."""
    return labels.get(word, word).replace("{s}", "s" if number == 1 else "")
