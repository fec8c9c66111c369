"""Which periods of an entry that recurs may be created now, and which are past. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler.model.entry import Generated
from reconciler.model.task import DesiredTask
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record

Due = Mapping[tuple[str, str], frozenset[str]]
"""By manifest file and key of the entry: the names of the periods that may be created."""

_DIGIT = re.compile(r"\d")


class Periods:
    """The periods of the entries that still recur."""

    def __init__(self, desired: Iterable[DesiredTask], due: Due) -> None:
        self._due = due
        self._by_org: dict[tuple[str, str], frozenset[str]] = {}
        for task in desired:
            made = task.generated
            if made is not None:
                periods = due.get((task.file, made.entry), frozenset())
                self._by_org[task.ref.org_name, made.entry] = periods

    def is_generating(self, known: Record | Attempt) -> bool:
        """Whether the entry that generated it still generates tasks."""
        made = known.generated
        return made is not None and (
            (known.ref.org_name, made.entry) in self._by_org
            or (known.file, made.entry) in self._due
        )

    def is_past(self, known: Record | Attempt) -> bool:
        """Whether it is of a period that its entry, which still recurs, does not create now. It is
        left alone: neither read nor compared, nor missing in the manifests."""
        made = known.generated
        if made is None or made.period is None or not self._due:
            return False
        periods = self._due.get((known.file, made.entry))
        if periods is None:  # the entry may have moved to another file
            periods = self._by_org.get((known.ref.org_name, made.entry))
        return periods is not None and made.period not in periods


def series_of(key: str, made: Generated) -> str:
    """A generated key without its period: what its tasks of all periods share."""
    return key.removesuffix(f"@{made.period}")


def is_earlier(name: str, than: str) -> bool:
    """Whether a period is before another one. Those of another kind (an entry that was monthly and
    is weekly now) are."""
    if _DIGIT.sub("0", name) != _DIGIT.sub("0", than):
        return True
    return name < than


def periods_of(generated: Iterable[Generated | None]) -> dict[str, tuple[str, ...]]:
    """The periods of tasks, by the entry that generates them."""
    found: dict[str, set[str]] = {}
    for made in generated:
        if made is not None and made.period is not None:
            found.setdefault(made.entry, set()).add(made.period)
    return {entry: tuple(sorted(names)) for entry, names in sorted(found.items())}
