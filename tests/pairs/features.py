"""The features that decide about a create or a status, and which of them exclude each other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, product
from typing import Any, NamedTuple

from covertable import make

ABSENT = ""

FEATURES: dict[str, tuple[str, ...]] = {
    # of the entry `job`
    "forEach": (ABSENT, "rows"),
    "every": (ABSENT, "month"),
    "overlap": (ABSENT, "wait"),
    "pilot": (ABSENT, "number", "matcher"),
    "atOnce": (ABSENT, "one"),
    "stopAfter": (ABSENT, "one"),
    "after": (ABSENT, "waits", "is waited for"),
    "expect": (ABSENT, "pullRequests", "merged", "data", "unmet"),
    "taskID": (ABSENT, "existing"),
    "movedFrom": (ABSENT, "recorded"),
    "removed": (ABSENT, "recorded"),
    # of the command
    "--target": (ABSENT, "job"),
    "--replace": (ABSENT, "key", "key and ID"),
    "--retry": (ABSENT, "glob"),
    "--allow-recreate": (ABSENT, "all"),
    "--update": (ABSENT, "given"),
    "--wait": (ABSENT, "given"),
    "plan": (ABSENT, "saved"),
    # of the world
    "console": (ABSENT, "same prompt", "copied prompt"),
    "loss": (ABSENT, "lost"),
    "response": (ABSENT, "lost", "never sent"),
    "identity": (ABSENT, "another"),
    "cache": (ABSENT, "empty"),
    "state": (ABSENT, "shared"),
}
"""The values of each feature. The first one: it is not used."""

Row = dict[str, str]
"""The value of each feature."""


class Impossible(NamedTuple):
    """A combination that taskctl rejects with `code`: a feature that has one of these values (none:
    that is used), with these others used and `without` these. `validate` rejects it, unless it is
    one of the command line."""

    feature: str
    used: tuple[str, ...]
    without: tuple[str, ...]
    code: str
    values: tuple[str, ...] = ()

    def matches(self, row: Row) -> bool:
        value = row[self.feature]
        return (
            (value in self.values if self.values else value != ABSENT)
            and all(row[name] != ABSENT for name in self.used)
            and all(row[name] == ABSENT for name in self.without)
        )


_GENERATORS = ("forEach", "every")

IMPOSSIBLE = (
    Impossible("overlap", (), _GENERATORS, "TC201"),
    Impossible("pilot", (), _GENERATORS, "TC201"),
    Impossible("atOnce", (), _GENERATORS, "TC201"),
    Impossible("stopAfter", (), _GENERATORS, "TC201"),
    Impossible("overlap", ("forEach",), ("every",), "TC202"),
    Impossible("pilot", ("every",), ("forEach",), "TC316", ("matcher",)),
    Impossible("taskID", ("forEach",), (), "TC302"),
    Impossible("after", ("taskID",), (), "TC320", ("waits",)),
    Impossible("--replace", ("taskID",), (), "TC855"),
)


def row_of(**used: str) -> Row:
    """The row in which only these features are used."""
    return {name: used.get(name, ABSENT) for name in FEATURES}


BASES = (
    row_of(),
    row_of(forEach="rows"),
    row_of(every="month"),
    row_of(forEach="rows", every="month"),
)
"""The rows that features may require; no feature requires another one."""


def is_possible(row: Row) -> bool:
    return not any(impossible.matches(row) for impossible in IMPOSSIBLE)


def examples_of(impossible: Impossible) -> Iterator[Row]:
    """For each value of the feature, a row that is impossible for this reason."""
    used = {name: FEATURES[name][1] for name in impossible.used}
    for value in impossible.values or FEATURES[impossible.feature][1:]:
        yield {**row_of(), **used, impossible.feature: value}


@cache
def covering_rows(strength: int) -> tuple[Row, ...]:
    """Rows in which each possible combination of `strength` values occurs; always the same."""

    def excluding(impossible: Impossible) -> dict[str, Any]:
        requires = [impossible.feature, *impossible.used, *impossible.without]
        return {
            "operator": "fn",
            "requires": requires,
            "evaluate": lambda row: not impossible.matches(row),
        }

    values = {name: list(values) for name, values in FEATURES.items()}
    constraints = [excluding(impossible) for impossible in IMPOSSIBLE]
    return tuple(make(values, strength=strength, constraints=constraints))


Pair = tuple[tuple[str, str], tuple[str, str]]


def pairs_of(row: Row) -> Iterator[Pair]:
    """All pairs of values of a row."""
    yield from combinations(((name, row[name]) for name in FEATURES), 2)


def possible_pairs() -> Iterator[Pair]:
    """All pairs of values that can be combined."""
    for one, other in combinations(FEATURES, 2):
        for value, other_value in product(FEATURES[one], FEATURES[other]):
            used = {one: value, other: other_value}
            if any(is_possible({**base, **used}) for base in BASES):
                yield (one, value), (other, other_value)
