"""What the templates of an entry may name, and what is wrong with those that name something else.
Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from reconciler.manifest.expand.periods import Period, Unit
from reconciler.manifest.expand.product import values_of
from reconciler.manifest.expand.rows import Row
from reconciler.manifest.expand.template import faults, names, templates_in
from reconciler.manifest.finding import Facts, Finding, finding, warning_finding
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

Values = Mapping[str, str | None]
"""Names with their texts; None for a mapping, of which only the fields are text."""

_SIMILAR = {"unknown": "unknown-similar", "mapping": "mapping-similar"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that any row of the axes knows, and those of the period where there is one."""

    axes: Mapping[str, Sequence[Row]]
    known: Values

    @classmethod
    def of(cls, axes: Mapping[str, Sequence[Row]], *, recurs: bool) -> Vocabulary:
        known: dict[str, str | None] = {}
        for axis, rows in axes.items():
            for row in rows:
                for name, value in values_of({axis: row}).items():
                    if known.get(name) is None:
                        known[name] = value
        if recurs:
            known |= period_values(Period(date(2000, 1, 1), Unit.DAY))
        return cls(axes, known)

    def check(self, text: str, path: Path) -> list[Finding]:
        """What is wrong with the template at `path`."""
        return [*self._faults(text, path), *self._lacking(text, path)]

    def _faults(self, text: str, path: Path) -> Iterator[Finding]:
        for fault in faults(text, self.known):
            facts: Facts = {"text": fault.text, "near": fault.suggestion}
            case = _SIMILAR[fault.case] if fault.suggestion in self.known else fault.case
            yield finding(Code.INVALID_TEMPLATE, path, case, facts)

    def _lacking(self, text: str, path: Path) -> Iterator[Finding]:
        """Rows of an axis may differ in form: the first that lacks what the template names."""
        for name in sorted(names(text)):
            axis, _, below = name.partition(".")
            for row in self.axes.get(axis, ()) if self.known.get(name) is not None else ():
                if not isinstance(row.field(below) if below else row.value, str):
                    found = finding(Code.INVALID_TEMPLATE, path, "lacking", {"text": name})
                    yield found.at_row(row.file, row.line)
                    break


def stray_dollar(text: str, path: Path) -> Iterator[Finding]:
    """A template that is written as in GitHub's workflows: its `$` stays in the text."""
    if "${{" in text:
        yield warning_finding(Code.PLACEHOLDER, path, "dollar", {"text": "${{"})


def period_values(period: Period) -> dict[str, str | None]:
    """What templates may name of a period and the one before it."""
    values: dict[str, str | None] = {"period": None, "previous": None}
    for name, one in (("period", period), ("previous", period.previous())):
        values[f"{name}.name"] = one.name
        values[f"{name}.start"] = one.start.isoformat()
        values[f"{name}.end"] = one.end.isoformat()
    return values


def names_a_period(template: object) -> bool:
    """Whether its texts tell one period from another."""
    used = {n.partition(".")[0] for _, text in templates_in(template) for n in names(text)}
    return bool(used & {"period", "previous"})
