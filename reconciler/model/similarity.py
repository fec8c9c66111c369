"""Limits the search for similar names: to compare thousands of long names takes seconds."""

from __future__ import annotations

from collections.abc import Collection

_SEARCHES = 10
_CHARACTERS = 1_000_000


class SimilaritySearches:
    """The searches that are left in a run."""

    def __init__(self) -> None:
        self._left = _SEARCHES

    def may_compare(self, name: str, known: Collection[str]) -> bool:
        """Counts a search for `name` among all `known` names; False if that would take long, or if
        there have been too many searches. The library compares each pair of characters."""
        if self._left == 0 or len(name) * sum(map(len, known)) > _CHARACTERS:
            return False
        self._left -= 1
        return True
