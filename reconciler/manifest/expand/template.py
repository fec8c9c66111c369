"""`{{ NAME }}` in the strings of an entry: one pass, no logic, and the result is never a template.

A template names an axis, a field of one (`stack.owner`), or a part of the period. `{{ "{{" }}`
stands for the text `{{`. Anything else in braces is an error, not text. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from reconciler.manifest.expand.periods import Period, Unit
from reconciler.manifest.expand.product import values_of
from reconciler.manifest.expand.rows import Row
from reconciler.manifest.finding import Facts, Finding, finding, warning_finding
from reconciler.manifest.suggestions import similar
from reconciler.model.canonical import texts_in
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

Values = Mapping[str, str | None]
"""Names with their texts; None for a mapping: only its fields are text."""

_OPEN = "{{"
_PART = re.compile(r"\{\{(?:\s*(?:(?P<name>[A-Za-z][A-Za-z0-9_.]*)|(?P<open>\"\{\{\"))\s*\}\})?")
_SIMILAR = {"unknown": "unknown-similar", "mapping": "mapping-similar"}
_SHOWN = 40
"""The number of characters of an invalid reference that a message shows."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a template, and the offset of its braces."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """`case` is `malformed`, `unknown` or `mapping`; `suggestion` is a similar name, or ""."""

    case: str
    text: str
    offset: int
    suggestion: str = ""


def parts(text: str) -> Iterator[str | Reference | TemplateFault]:
    """The literal texts, references and syntax errors of a template, in order."""
    end = 0
    for match in _PART.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        end = match.end()
        if match["name"]:
            yield Reference(match["name"], match.start())
        elif match["open"]:
            yield _OPEN
        else:
            inside = text[match.start() : match.start() + _SHOWN].splitlines()[0]
            yield TemplateFault("malformed", inside, match.start())
    if end < len(text):
        yield text[end:]


def names(text: str) -> frozenset[str]:
    """The names that a template refers to."""
    if _OPEN not in text:
        return frozenset()
    return frozenset(part.name for part in parts(text) if isinstance(part, Reference))


def faults(text: str, known: Values) -> list[TemplateFault]:
    """The errors of a template, in which any name in `known` that has a text may be used."""
    found = []
    for part in parts(text) if _OPEN in text else ():
        if isinstance(part, TemplateFault):
            found.append(part)
        elif isinstance(part, Reference) and known.get(part.name) is None:
            case = "mapping" if part.name in known else "unknown"
            texts = [name for name, value in known.items() if value is not None]
            fields = [name for name in texts if name.startswith(f"{part.name}.")]
            near = fields[0] if fields else similar(part.name, texts) or ""
            found.append(TemplateFault(case, part.name, part.offset, near))
    return found


def substitute(text: str, values: Values) -> str:
    """Fills a template without faults."""
    return text if _OPEN not in text else _filled(tuple(parts(text)), values)


def _filled(pieces: Iterable[str | Reference | TemplateFault], values: Values) -> str:
    return "".join(
        piece if isinstance(piece, str) else values[piece.name] or ""
        for piece in pieces
        if not isinstance(piece, TemplateFault)
    )


def templates_in(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The templates of a JSON value and their paths; names of members are never templates."""
    if isinstance(value, str):
        if _OPEN in value:
            yield path, value
    elif isinstance(value, dict | list):
        for name, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from templates_in(below, (*path, name))


Filler = Callable[[Values], tuple[Any, int]]
"""Takes the values of a task; returns a JSON value and the number of characters in its strings."""


def filler(value: Any) -> Filler:
    """A function that fills the templates of a JSON value, which are parsed once for all tasks. A
    part without templates is the same object in each result."""
    if next(templates_in(value), None) is None:
        constant = value, sum(map(len, texts_in(value)))
        return lambda _: constant
    if isinstance(value, str):
        return _text_filler(tuple(parts(value)))
    if isinstance(value, dict):
        members = [(name, filler(below)) for name, below in value.items()]

        def fill_members(values: Values) -> tuple[Any, int]:
            made = {name: fill(values) for name, fill in members}
            length = sum(size for _, size in made.values())
            return {name: part for name, (part, _) in made.items()}, length

        return fill_members
    items = [filler(below) for below in value]

    def fill_items(values: Values) -> tuple[Any, int]:
        made = [fill(values) for fill in items]
        return [item for item, _ in made], sum(size for _, size in made)

    return fill_items


def _text_filler(pieces: Sequence[str | Reference | TemplateFault]) -> Filler:
    def fill(values: Values) -> tuple[str, int]:
        text = _filled(pieces, values)
        return text, len(text)

    return fill


# What the templates of an entry may refer to


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that any row of the axes defines and, if the entry recurs, those of the period."""

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
        """The errors of the template at `path`."""
        found = []
        for fault in faults(text, self.known):
            facts: Facts = {"text": fault.text, "near": fault.suggestion}
            case = _SIMILAR[fault.case] if fault.suggestion in self.known else fault.case
            found.append(finding(Code.INVALID_TEMPLATE, path, case, facts))
        for name in sorted(names(text)):
            axis, _, below = name.partition(".")
            # Rows of an axis may differ in form: report the first that lacks the name.
            for row in self.axes.get(axis, ()) if self.known.get(name) is not None else ():
                if not isinstance(row.field(below) if below else row.value, str):
                    lacking = finding(Code.INVALID_TEMPLATE, path, "lacking", {"text": name})
                    found.append(lacking.at_row(row.file, row.line))
                    break
        return found


def stray_dollar(text: str, path: Path) -> Iterator[Finding]:
    """A warning for `${{`, as in GitHub Actions workflows: here, the `$` stays in the text."""
    if "${{" in text:
        yield warning_finding(Code.PLACEHOLDER, path, "dollar", {"text": "${{"})


def period_values(period: Period) -> dict[str, str | None]:
    """The values of a period and the one before it."""
    values: dict[str, str | None] = {"period": None, "previous": None}
    for name, each in (("period", period), ("previous", period.previous())):
        values[f"{name}.name"] = each.name
        values[f"{name}.start"] = each.start.isoformat()
        values[f"{name}.end"] = each.end.isoformat()
    return values


def names_a_period(template: object) -> bool:
    """Whether the texts of a JSON value differ from period to period."""
    used = {n.partition(".")[0] for _, text in templates_in(template) for n in names(text)}
    return bool(used & {"period", "previous"})
