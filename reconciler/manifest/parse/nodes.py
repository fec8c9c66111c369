"""Parser events -> nodes that keep every scalar as it is written, with its line and column.

Values that end up in task keys and prompts must not pass through a type: `1.10` is the text `1.10`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.model.diagnostics import Path

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(slots=True)
class Scalar:
    """`text` as written; None for a null. Lines and columns count from 1."""

    text: str | None
    line: int
    column: int


@dataclass(slots=True)
class Sequence:
    items: list[Node]
    line: int
    column: int


@dataclass(slots=True)
class Mapping:
    """`items` in the order written; the keys' own places are their nodes'."""

    items: list[tuple[Scalar, Node]]
    line: int
    column: int

    def get(self, name: str) -> Node | None:
        return next((value for key, value in self.items if key.text == name), None)


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class _Reader:
    """Recursive: the depth of a manifest was limited when it was read."""

    next_event: Callable[[], object]
    anchors: dict[str, Node] = field(default_factory=dict)

    def node(self, event: Any) -> Node:
        if isinstance(event, AliasEvent):
            return self.anchors[event.anchor]
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        made: Node
        if isinstance(event, ScalarEvent):
            is_null = not event.style and event.value in _NULLS and not event.tag
            made = Scalar(None if is_null else event.value, line, column)
        elif isinstance(event, SequenceStartEvent):
            made = Sequence([], line, column)
            while not isinstance(event_below := self.next_event(), SequenceEndEvent):
                made.items.append(self.node(event_below))
        else:
            made = Mapping([], line, column)
            while not isinstance(event_below := self.next_event(), MappingEndEvent):
                key = self.node(event_below)
                value = self.node(self.next_event())
                if isinstance(key, Scalar):
                    made.items.append((key, value))
        if event.anchor:
            self.anchors[event.anchor] = made
        return made


def read_nodes(next_event: Callable[[], object]) -> Node | None:
    """The first document that is not empty; None if there is none. The text must be valid YAML."""
    reader = _Reader(next_event)
    while (event := next_event()) is not None:
        if isinstance(event, ScalarEvent) and not event.value and not event.style:
            continue
        if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            return reader.node(event)
    return None


def node_at(root: Node | None, path: Path) -> Node | None:
    """The node at a path of mapping keys and list indexes; None where there is none."""
    for step in path:
        if isinstance(root, Mapping) and isinstance(step, str):
            root = root.get(step)
        elif isinstance(root, Sequence) and isinstance(step, int) and step < len(root.items):
            root = root.items[step]
        else:
            return None
    return root
