"""`forEach`: the combinations of axes, and the matchers of `exclude` and `pilot`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import product
from operator import and_
from typing import Any, NamedTuple

from reconciler.manifest.expand.rows import Row
from reconciler.manifest.finding import NO_FACTS, Facts, Finding
from reconciler.manifest.parse import nodes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

Values = Mapping[str, str | None]
"""Texts by name. A mapping is None, because only its fields (`stack.name`) are texts."""


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
    """The total number of values in the rows of all axes and in their `count` combinations."""
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


class Matcher(NamedTuple):
    """An item of `exclude` or `pilot`, on a line of the manifest: the texts that some values of a
    combination must have."""

    required: Mapping[str, str]
    line: int


def matches(
    matchers: Sequence[Matcher], among: Sequence[Combination]
) -> tuple[set[int], list[int]]:
    """The positions of the combinations that match, and the lines of matchers without a match. A
    set of positions is an integer with a bit for each, so that sets are fast to intersect."""
    having = {item: 0 for matcher in matchers for item in matcher.required.items()}
    for n, each in enumerate(among):
        for item in having.keys() & each.values.items():
            having[item] |= 1 << n
    every = (1 << len(among)) - 1
    matching = 0
    unused: list[int] = []
    for required, line in matchers:
        found = reduce(and_, map(having.__getitem__, required.items()), every)
        matching |= found
        unused += [] if found else [line]
    return {n for n in range(len(among)) if matching >> n & 1}, unused


def matchers_of(
    node: nodes.Node | None, axes: Mapping[str, Sequence[Row]], path: Path
) -> tuple[list[Matcher], list[Finding]]:
    """The matchers of the list at `path`, whose axes and fields must exist; none without a list."""
    matchers: list[Matcher] = []
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
            matchers.append(Matcher(required, item.line))
    return matchers, findings
