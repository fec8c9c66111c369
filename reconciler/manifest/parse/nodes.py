"""Parser events -> nodes that keep the text of every scalar, and its line.

Values that end up in task keys and prompts must not be converted to a type: `1.10` stays `1.10`.
"""

from __future__ import annotations

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

from reconciler.manifest.parse.scalars import NULLS
from reconciler.manifest.parse.spans import NextEvent
from reconciler.model.diagnostics import Path


@dataclass(slots=True)
class Scalar:
    """`text` as written; None for a null. Lines count from 1."""

    text: str | None
    line: int


@dataclass(slots=True)
class Sequence:
    items: list[Node]
    line: int


@dataclass(slots=True)
class Mapping:
    """`items` are in the order written."""

    items: list[tuple[Scalar, Node]]
    line: int
    _members: dict[str | None, Node] | None = field(default=None, init=False, compare=False)

    def member(self, name: str) -> Node | None:
        """The first value with this key."""
        if self._members is None:
            self._members = {key.text: value for key, value in reversed(self.items)}
        return self._members.get(name)


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class _Reader:
    """Reads nodes recursively: the depth of a manifest was limited when it was read."""

    next_event: NextEvent
    anchors: dict[str, Node] = field(default_factory=dict)

    def node(self, event: Any) -> Node:
        if isinstance(event, AliasEvent):
            return self.anchors[event.anchor]
        line = event.start_mark.line + 1
        made: Node
        if isinstance(event, ScalarEvent):
            is_null = not event.style and event.value in NULLS and not event.tag
            made = Scalar(None if is_null else event.value, line)
        elif isinstance(event, SequenceStartEvent):
            made = Sequence([], line)
            while not isinstance(event_below := self.next_event(), SequenceEndEvent):
                made.items.append(self.node(event_below))
        else:
            made = Mapping([], line)
            while not isinstance(event_below := self.next_event(), MappingEndEvent):
                key = self.node(event_below)
                value = self.node(self.next_event())
                if isinstance(key, Scalar):
                    made.items.append((key, value))
        if event.anchor:
            self.anchors[event.anchor] = made
        return made


def read_nodes(next_event: NextEvent) -> Node | None:
    """The first document that is not empty; None if there is none. The text must be valid YAML."""
    reader = _Reader(next_event)
    while (event := next_event()) is not None:
        if isinstance(event, ScalarEvent) and not event.value and not event.style:
            continue
        if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            return reader.node(event)
    return None


def node_at(root: Node | None, path: Path) -> Node | None:
    """The node at a path of mapping keys and list indexes; None if there is none."""
    for step in path:
        if isinstance(root, Mapping) and isinstance(step, str):
            root = root.member(step)
        elif isinstance(root, Sequence) and isinstance(step, int) and step < len(root.items):
            root = root.items[step]
        else:
            return None
    return root
