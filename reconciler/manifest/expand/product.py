"""`forEach`: the combinations of axes, and the matchers of `exclude` and `pilot`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from reconciler.manifest.expand.rows import Row
from reconciler.manifest.finding import NO_FACTS, Facts, Finding
from reconciler.manifest.parse import nodes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

Values = Mapping[str, str | None]
"""Names with their texts; None for a mapping: only its fields are text."""


class Combination(NamedTuple):
    """The values of each axis (`region`) and field (`stack.name`), in the order of the axes, and
    the row of the first axis (None without axes)."""

    values: Values
    row: Row | None


def combinations(axes: Mapping[str, Sequence[Row]]) -> Iterator[Combination]:
    """All combinations, the last axis changing fastest."""
    parts = [[(values_of(axis, row), row) for row in rows] for axis, rows in axes.items()]
    for combined in product(*parts):
        merged: dict[str, str | None] = {}
        for values, _ in combined:
            merged |= values
        yield Combination(merged, combined[0][1] if combined else None)


def values_of(axis: str, row: Row) -> dict[str, str | None]:
    """The values of an axis and its fields."""
    if isinstance(row.value, str):
        return {axis: row.value}
    return {axis: None, **{f"{axis}.{name}": text for name, text in row.value.items()}}


def values_in(axes: Mapping[str, Sequence[Row]], count: int) -> int:
    """The number of values in the rows of all axes, and in their `count` combinations."""
    values = 0
    for rows in axes.values():
        widths = (1 if isinstance(row.value, str) else 1 + len(row.value) for row in rows)
        values += (len(rows) + count) * max(widths, default=0)
    return values


def default_names(axes: Mapping[str, object], values: Values) -> list[str]:
    """The names whose values make the key by default; a mapping contributes its `name`."""
    return [axis if values[axis] is not None else f"{axis}.name" for axis in axes]


def added_to_key(
    entry: Mapping[str, Any], axes: Mapping[str, object], among: Sequence[Combination]
) -> str:
    """The part of the tasks' keys after the entry's key, as a template."""
    made = entry.get("key", "")
    if not made and among:
        made = "-".join(f"{{{{ {name} }}}}" for name in default_names(axes, among[0][0]))
    period = "@{{ period.name }}" if "every" in entry else ""
    return f"@{made}{period}" if axes else period


class Matchers:
    """The items of `exclude` or `pilot`: texts that some values of a combination must have.

    Items that require the same names are in one index, so matching takes the same time for any
    number of them. It takes a time for each of `names`: a limit applies to them.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[str, ...], dict[tuple[str | None, ...], list[int]]] = {}
        self._used: set[tuple[tuple[str, ...], tuple[str | None, ...]]] = set()

    def add(self, required: Mapping[str, str], line: int) -> None:
        """Adds the item on a line of the manifest."""
        names = tuple(sorted(required))
        texts = tuple(required[name] for name in names)
        self._lines.setdefault(names, {}).setdefault(texts, []).append(line)

    @property
    def names(self) -> int:
        """The number of names to compare, in all indexes."""
        return sum(map(len, self._lines))

    def match(self, values: Values) -> bool:
        """Whether a combination with these values matches an item."""
        hits = [
            (names, texts)
            for names, known in self._lines.items()
            if (texts := tuple(map(values.get, names))) in known
        ]
        self._used.update(hits)
        return bool(hits)

    def unused_lines(self) -> Iterator[int]:
        """The lines of the items that have matched nothing so far."""
        for names, known in self._lines.items():
            for texts, lines in known.items():
                if (names, texts) not in self._used:
                    yield from lines


def matchers_of(
    node: nodes.Node | None, axes: Mapping[str, Sequence[Row]], path: Path
) -> tuple[Matchers, list[Finding]]:
    """The matchers of the list at `path`, whose axes and fields must exist; none without a list."""
    matchers = Matchers()
    findings: list[Finding] = []
    fields = {
        axis: {name for row in rows if isinstance(row.value, dict) for name in row.value}
        for axis, rows in axes.items()
    }

    def report(case: str, line: int, facts: Facts = NO_FACTS) -> None:
        found = Finding(Code.INVALID_MATCHER, path, case, facts)
        findings.append(found.at_position(line, 1))

    def texts_of(axis: str, node: nodes.Node) -> Iterator[tuple[str, str]]:
        if isinstance(node, nodes.Scalar):
            yield axis, node.text or ""
        for key, value in node.items if isinstance(node, nodes.Mapping) else ():
            name = str(key.text)
            if axes[axis] and name not in fields[axis]:
                report("field", key.line, {"name": f"{axis}.{name}"})
            elif isinstance(value, nodes.Scalar):
                yield f"{axis}.{name}", value.text or ""
            else:
                report("form", value.line)

    for item in node.items if isinstance(node, nodes.Sequence) else ():
        if not isinstance(item, nodes.Mapping):
            report("form", item.line)
            continue
        required: dict[str, str] = {}
        for key, value in item.items:
            axis = str(key.text)
            if axis in axes:
                required.update(texts_of(axis, value))
            else:
                report("axis", key.line, {"name": axis})
        if item.items:
            matchers.add(required, item.line)
    return matchers, findings
