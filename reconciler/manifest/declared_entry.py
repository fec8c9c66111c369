"""The tasks that an entry of a manifest can generate, now or in other periods. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.manifest.document import Document
from reconciler.manifest.expand.periods import Period, Recurrence
from reconciler.manifest.schema_findings import similar
from reconciler.model.similarity import SimilaritySearches
from reconciler.model.task import Expectation, Recurring, TaskRef
from reconciler.model.value import Value, replace


class DeclaredEntry(Value, frozen=True):
    """An entry. `rows` are the keys of its rows without the period, by organization (None: the
    default). `latest`: the last period that may be due in any time zone. `written`: see
    `Expansion`."""

    file: str
    name: str
    rows: Mapping[str | None, frozenset[str]]
    recurrence: Recurrence | None = None
    upcoming: tuple[Period, ...] = ()
    latest: Period | None = None
    expect: Expectation | None = None
    written: object = None

    def in_org(self, org_name: str) -> DeclaredEntry:
        """The entry, with its rows of the default organization under `org_name`."""
        if None not in self.rows:
            return self
        rows = {name: keys for name, keys in self.rows.items() if name is not None}
        rows[org_name] = rows.get(org_name, frozenset()) | self.rows[None]
        return replace(self, rows=rows)

    def can_generate(self, org_name: str | None, key: str) -> bool:
        """Whether the entry generates a key in any period up to `latest`."""
        rows, recurrence = self.rows.get(org_name, frozenset()), self.recurrence
        if recurrence is None:
            return key in rows
        row, _, name = key.rpartition("@")
        period = recurrence.unit.named(name)
        if row not in rows or period is None or not recurrence.includes(period):
            return False
        return self.latest is None or period <= self.latest

    @property
    def _due(self) -> Period | None:
        """The current period, two before `latest`: other time zones may be that far ahead."""
        return self.latest.previous().previous() if self.latest is not None else None

    def nearest(self, org_name: str | None, key: str, searches: SimilaritySearches) -> str | None:
        """The most similar key that the entry can generate; None if there is none."""
        rows, named = sorted(self.rows.get(org_name, ())), ""
        if self.recurrence is not None and self._due is not None:
            named = key.rpartition("@")[2]
            if self.recurrence.unit.named(named) is None:
                named = self._due.name
        known = [f"{row}@{named}" if named else row for row in rows]
        near = similar(key, known) if searches.may_compare(key, known) else None
        return near if near is not None and self.can_generate(org_name, near) else None

    def recurring(self) -> dict[TaskRef, Recurring]:
        """The entry for plans, in each organization in which it has rows, if it recurs."""
        recurrence = self.recurrence
        if recurrence is None:
            return {}
        first, last = recurrence.limits()
        over = self._due.previous().name if self._due is not None else ""
        upcoming = frozenset(period.name for period in self.upcoming)
        found = Recurring(upcoming, over, first, last, self.expect)
        return {TaskRef(org or "", self.name): found for org, rows in self.rows.items() if rows}


def entries_of(documents: Iterable[Document]) -> tuple[DeclaredEntry, ...]:
    """The expanded entries of all documents."""
    found = []
    for document in documents:
        rows: dict[str, dict[str | None, set[str]]] = {}
        for task in (*document.tasks, *document.unusable):
            if (generated := task.generated) is not None:
                period, key = generated.period, task.key
                row = key if period is None else key.removesuffix(f"@{period}")
                own = rows.setdefault(generated.entry, {})
                own.setdefault(task.org_name, set()).add(row)
        for name, made in document.expansions.items():
            listed = rows.get(name, {})
            for key, org_name in made.rows.items():
                listed.setdefault(org_name or document.org_name, set()).add(key)
            found.append(
                DeclaredEntry(
                    document.file,
                    name,
                    {org: frozenset(keys) for org, keys in listed.items()},
                    made.recurrence,
                    made.upcoming,
                    made.latest,
                    document.expectations.get(name),
                    made.written,
                )
            )
    return tuple(found)
