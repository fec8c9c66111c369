"""`exclude` and `pilot` as matchers: what they name has to exist. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.manifest.expand.product import Matcher
from reconciler.manifest.expand.rows import Row
from reconciler.manifest.parse import nodes

Wrong = tuple[str, dict[str, str | int], int]
"""A case of its wording, the facts, and a line of the manifest."""


def matchers_of(
    node: nodes.Node | None, axes: Mapping[str, Sequence[Row]]
) -> tuple[list[Matcher], list[Wrong]]:
    """The matchers of a list, and what is wrong with it; none for anything but a list."""
    found: list[Matcher] = []
    wrong: list[Wrong] = []
    for item in node.items if isinstance(node, nodes.Sequence) else ():
        if not isinstance(item, nodes.Mapping):
            wrong.append(("form", {}, item.line))
            continue
        wants: dict[str, str | Mapping[str, str]] = {}
        for key, value in item.items:
            axis = str(key.text)
            if axis not in axes:
                wrong.append(("axis", {"name": axis}, key.line))
            else:
                wants[axis] = _want(axis, value, axes[axis], wrong)
        if wants:
            found.append(Matcher(wants, item.line))
    return found, wrong


def _want(
    axis: str, node: nodes.Node, rows: Sequence[Row], wrong: list[Wrong]
) -> str | Mapping[str, str]:
    if isinstance(node, nodes.Scalar):
        return node.text or ""
    fields: dict[str, str] = {}
    for key, value in node.items if isinstance(node, nodes.Mapping) else ():
        name = str(key.text)
        if not any(row.field(name) is not None for row in rows):
            wrong.append(("field", {"name": f"{axis}.{name}"}, key.line))
        elif isinstance(value, nodes.Scalar):
            fields[name] = value.text or ""
        else:
            wrong.append(("form", {}, value.line))
    return fields
