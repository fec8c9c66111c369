"""`forEach`: the combinations of axes, without those that are excluded. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from reconciler.manifest.expand.rows import Row
from reconciler.manifest.finding import NO_FACTS, Facts, Finding, finding
from reconciler.manifest.parse import nodes
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path

MOST = 100_000
"""Tasks that one entry may generate, whatever `atMost` allows."""

Combination = Mapping[str, Row]
"""A row of each axis, by the axis's name, in the order of the axes."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """An item of `exclude` or `pilot`: the text of an axis, or the texts of some of its fields."""

    required: Mapping[str, str | Mapping[str, str]]
    line: int = 0

    def matches(self, combination: Combination) -> bool:
        return all(_fits(combination[axis], text) for axis, text in self.required.items())


def _fits(row: Row, required: str | Mapping[str, str]) -> bool:
    if isinstance(required, str):
        return row.value == required
    return all(row.field(name) == text for name, text in required.items())


def matchers_of(
    node: nodes.Node | None, axes: Mapping[str, Sequence[Row]], path: Path
) -> tuple[list[Matcher], list[Finding]]:
    """The matchers of the list at `path`, whose axes and fields must exist; none without a list."""
    matchers: list[Matcher] = []
    findings: list[Finding] = []

    def report(case: str, line: int, facts: Facts = NO_FACTS) -> None:
        found = finding(Code.INVALID_MATCHER, path, case, facts)
        findings.append(found.at_position(line, 1))

    def fields_of(axis: str, node: nodes.Node) -> Iterator[tuple[str, str]]:
        for key, value in node.items if isinstance(node, nodes.Mapping) else ():
            name = str(key.text)
            if all(row.field(name) is None for row in axes[axis]):
                report("field", key.line, {"name": f"{axis}.{name}"})
            elif isinstance(value, nodes.Scalar):
                yield name, value.text or ""
            else:
                report("form", value.line)

    for item in node.items if isinstance(node, nodes.Sequence) else ():
        if not isinstance(item, nodes.Mapping):
            report("form", item.line)
            continue
        required: dict[str, str | Mapping[str, str]] = {}
        for key, value in item.items:
            axis = str(key.text)
            if axis not in axes:
                report("axis", key.line, {"name": axis})
            elif isinstance(value, nodes.Scalar):
                required[axis] = value.text or ""
            else:
                required[axis] = dict(fields_of(axis, value))
        if required:
            matchers.append(Matcher(required, item.line))
    return matchers, findings


def combinations(
    axes: Mapping[str, Sequence[Row]], excluded: Sequence[Matcher] = ()
) -> Iterator[Combination]:
    """All combinations that no matcher excludes, the last axis changing fastest."""
    for rows in product(*axes.values()):
        combination = dict(zip(axes, rows, strict=True))
        if not any(matcher.matches(combination) for matcher in excluded):
            yield combination


def values_of(combination: Combination) -> dict[str, str | None]:
    """The values of templates: each axis (None if it is a mapping), and `axis.field`."""
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
