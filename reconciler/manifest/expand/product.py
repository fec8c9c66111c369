"""`forEach`: axes to combinations. The size is known before anything is built. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from reconciler.manifest.expand.rows import Row

MOST = 100_000
"""Tasks that one entry may generate, whatever `atMost` says."""

Combination = Mapping[str, Row]
"""A row of each axis, by the axis's name, in the order of the axes."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """What `exclude` and `pilot` name: for an axis the text, or the texts of some fields."""

    wants: Mapping[str, str | Mapping[str, str]]
    line: int = 0

    def matches(self, combination: Combination) -> bool:
        return all(_fits(combination[axis], want) for axis, want in self.wants.items())


def _fits(row: Row, want: str | Mapping[str, str]) -> bool:
    if isinstance(want, str):
        return row.value == want
    return all(row.field(name) == text for name, text in want.items())


def size(axes: Mapping[str, Sequence[Row]]) -> int:
    """How many combinations the axes have, before exclusions."""
    return math.prod(len(rows) for rows in axes.values())


def combinations(
    axes: Mapping[str, Sequence[Row]], excluded: Sequence[Matcher] = ()
) -> Iterator[Combination]:
    """All combinations that no matcher excludes, the last axis changing fastest."""
    names = tuple(axes)
    for rows in product(*axes.values()):
        combination = dict(zip(names, rows, strict=True))
        if not any(matcher.matches(combination) for matcher in excluded):
            yield combination


def values_of(combination: Combination) -> dict[str, str | None]:
    """What templates may name: each axis (None if it is a mapping), and `axis.field`."""
    values: dict[str, str | None] = {}
    for axis, row in combination.items():
        if isinstance(row.value, str):
            values[axis] = row.value
        else:
            values[axis] = None
            values.update({f"{axis}.{name}": text for name, text in row.value.items()})
    return values


def default_names(combination: Combination) -> tuple[str, ...]:
    """The names whose values make the key by default; a mapping contributes its `name`."""
    return tuple(
        axis if isinstance(row.value, str) else f"{axis}.name" for axis, row in combination.items()
    )
