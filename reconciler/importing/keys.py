"""Unique keys for imported tasks, derived from their names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST = 128
_LONGEST_OF_WORDS = 50
_OTHER = re.compile(r"[^a-z0-9._]+")


def slug(text: str, longest: int = LONGEST) -> str:
    """As much of a text as a key can contain (`[a-z0-9][a-z0-9._-]*`), cut between words if
    possible; may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    made = _OTHER.sub("-", plain).strip("._-")
    if len(made) > longest:
        whole, dash, _ = made[: longest + 1].rpartition("-")
        made = (whole if dash else made[:longest]).rstrip("._-")
    return made


class Keys:
    """Generates unique keys, none of which is in `taken`."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def of(self, *texts: str) -> str:
        """A key derived from the first usable text, or else `task`."""
        slugs = (slug(text, _LONGEST_OF_WORDS) for text in texts)
        return self.free(next((made for made in slugs if made), "task"))

    def free(self, wanted: str) -> str:
        """This key, with a number appended if it is taken."""
        key, number = wanted, self._numbers.get(wanted, 1)
        while key in self._taken:
            number += 1
            end = f"-{number}"
            key = wanted[: LONGEST - len(end)] + end
        self._numbers[wanted] = number
        self._taken.add(key)
        return key
