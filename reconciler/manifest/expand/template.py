"""`{{ NAME }}` in the strings of an entry: one pass, no logic, and the result is never a template.

A template refers to an axis, a field of an axis (`stack.owner`), or a part of the period. `{{ "{{"
}}` stands for the text `{{`. Anything else in braces is an error, not text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from reconciler.manifest.expand.periods import Period, Unit
from reconciler.manifest.expand.product import Values, values_of
from reconciler.manifest.expand.rows import Row
from reconciler.manifest.finding import Finding, warning_finding
from reconciler.manifest.schema_findings import similar
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.similarity import SimilaritySearches
from reconciler.model.value import Value

_OPEN = "{{"
_PART = re.compile(r"\{\{(?:\s*(?:(?P<name>[A-Za-z][A-Za-z0-9_.]*)|(?P<open>\"\{\{\"))\s*\}\})?")
_SHOWN = 40
"""The number of characters of a syntax error that a message shows."""


class Template:
    """A parsed template: `pieces` are its literal texts and, as tuples, the names that it refers
    to; `malformed` are its syntax errors."""

    def __init__(self, text: str) -> None:
        self.pieces: list[str | tuple[str]] = []
        self.malformed: list[str] = []
        end = 0
        for match in _PART.finditer(text):
            self.pieces.append(text[end : match.start()])
            end = match.end()
            if match["name"]:
                self.pieces.append((match["name"],))
            elif match["open"]:
                self.pieces.append(_OPEN)
            else:
                shown = text[match.start() : match.start() + _SHOWN]
                self.malformed.append(shown.splitlines()[0])
        self.pieces.append(text[end:])

    @property
    def names(self) -> dict[str, None]:
        return dict.fromkeys(piece[0] for piece in self.pieces if isinstance(piece, tuple))

    def fill(self, values: Values) -> str:
        return "".join(
            [piece if type(piece) is str else values[piece[0]] or "" for piece in self.pieces]
        )


def names(text: str) -> Collection[str]:
    """The names that a template refers to, in order."""
    return Template(text).names if _OPEN in text else ()


def substitute(text: str, values: Values) -> str:
    """Fills a template that has no errors."""
    return Template(text).fill(values) if _OPEN in text else text


def templates_in(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The templates of a JSON value and their paths; names of members are never templates."""
    if isinstance(value, str):
        if _OPEN in value:
            yield path, value
    elif isinstance(value, dict | list):
        for name, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from templates_in(below, (*path, name))


Filler = Callable[[Values], Any]
"""Takes the values of a task; returns a JSON value."""


def compile_template(value: Any) -> Filler:
    """A function that fills the templates of a JSON value, which are parsed once for all tasks. A
    part without templates is the same object in each result."""
    if not _has_templates(value):
        return lambda _: value
    if isinstance(value, str):
        return Template(value).fill
    if isinstance(value, dict):
        members = [(n, compile_template(part)) for n, part in value.items() if _has_templates(part)]

        def fill_members(values: Values) -> Any:
            made = value.copy()
            for name, fill in members:
                made[name] = fill(values)
            return made

        return fill_members
    items = [compile_template(below) for below in value]
    return lambda values: [fill(values) for fill in items]


def _has_templates(value: object) -> bool:
    return next(templates_in(value), None) is not None


# The names that the templates of an entry may use


class Vocabulary(Value, frozen=True):
    """The names that any row of the axes defines and, if the entry recurs, the names of the period.
    Of the rows of an axis that define the same names, `axes` has the first."""

    axes: Mapping[str, Sequence[Row]]
    known: Values
    searches: SimilaritySearches

    @classmethod
    def of(
        cls, axes: Mapping[str, Sequence[Row]], searches: SimilaritySearches, *, recurs: bool
    ) -> Vocabulary:
        values: dict[str, str | None] = {}
        axes = {axis: _different(rows) for axis, rows in axes.items()}
        for axis, rows in axes.items():
            for row in rows:
                for name, value in values_of(axis, row).items():
                    if values.get(name) is None:
                        values[name] = value
        if recurs:
            values |= period_values(Period(date(2000, 1, 1), Unit.DAY))
        return cls(axes, values, searches)

    def errors(self, text: str, path: Path) -> Iterator[Finding]:
        """The errors of the template at `path`."""
        if _OPEN not in text:
            return
        template = Template(text)
        for malformed in template.malformed:
            facts = {"text": malformed, "near": ""}
            yield Finding(Code.INVALID_TEMPLATE, path, "malformed", facts)
        for name in template.names:
            axis, _, below = name.partition(".")
            if axis in self.axes and not self.axes[axis]:
                continue  # the axis has no rows, so its fields are unknown
            if self.known.get(name) is None:
                yield self._undefined(name, path)
                continue
            # Rows of an axis may differ in form: report the first that lacks the name.
            for row in self.axes.get(axis, ()):
                if not isinstance(row.field(below) if below else row.value, str):
                    lacking = Finding(Code.INVALID_TEMPLATE, path, "lacking", {"text": name})
                    yield lacking.at_row(row.file, row.line)
                    break

    def _undefined(self, name: str, path: Path) -> Finding:
        case = "mapping" if name in self.known else "unknown"
        texts = [field for field, value in self.known.items() if value is not None]
        fields = [field for field in texts if field.startswith(f"{name}.")]
        if name in _DATES and "period.name" in texts:
            fields.append("period.name")
        near = fields[0] if fields else None
        if near is None and self.searches.may_compare(name, texts):
            near = similar(name, texts)
        if near is not None:
            case = "mapping-similar" if case == "mapping" else "unknown-similar"
        return Finding(Code.INVALID_TEMPLATE, path, case, {"text": name, "near": near or ""})


_DATES = frozenset(("date", "today", "now", "day", "week", "month", "quarter", "year"))
"""Names that people try instead of those of a period."""


def _different(rows: Sequence[Row]) -> list[Row]:
    """The first row of each form: a text, or a mapping with the same fields."""
    firsts: dict[tuple[str, ...] | None, Row] = {}
    for row in rows:
        firsts.setdefault(None if isinstance(row.value, str) else tuple(row.value), row)
    return list(firsts.values())


def stray_dollar(text: str, path: Path) -> Iterator[Finding]:
    """A warning for `${{`, as in GitHub Actions workflows: here, the `$` stays in the text."""
    if "${{" in text:
        yield warning_finding(Code.PLACEHOLDER, path, "dollar", {"text": "${{"})


def period_values(period: Period) -> dict[str, str | None]:
    """The values of a period and of the previous period."""
    values: dict[str, str | None] = {"period": None, "previous": None}
    for name, each in (("period", period), ("previous", period.previous())):
        values[f"{name}.name"] = each.name
        values[f"{name}.start"] = each.start.isoformat()
        values[f"{name}.end"] = each.end.isoformat()
    return values
