"""Parser events -> plain data. Iterative: no depth of a file can exhaust the stack.

This loop is most of what reading a manifest costs beyond the parser itself, hence its flat form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.manifest.parse import scalars
from reconciler.manifest.parse.spans import NextEvent
from reconciler.manifest.problem import Problem
from reconciler.model.diagnostics import Path

MAX_DEPTH = 100
MAX_EXPANSION = 4_000_000
EXPANSION_RATIO = 20

_ANEW = object()
_SHORT = 32
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep; a manifest needs seven"
_TOO_LARGE = "aliases make far more of this file than it holds; write out what is meant"
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_SPOILT = "\0"
_KEY_TAGS = ("!", scalars.CORE + "str")
_MAP_TAGS = ("!", scalars.CORE + "map")
_SEQ_TAGS = ("!", scalars.CORE + "seq")

Place = tuple[int, int]
"""A line and a column, from 1."""


class Refused(Exception):  # noqa: N818
    """The rest of the file cannot be read; the problem is noted already."""


@dataclass(slots=True)
class Constructed:
    """The documents of a file that are not empty, each with the place it begins at.

    `keys` has the places of the keys one level below the root: `keys["tasks"]["rotate-iam-keys"]`.
    `repeats` are keys that stand in their mapping already. `problems` and they make the data unfit
    for use, though not for looking for further problems in it.
    """

    documents: list[Any] = field(default_factory=list)
    starts: list[Place] = field(default_factory=list)
    keys: dict[str, dict[str, Place]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    repeats: list[tuple[Path, Place]] = field(default_factory=list)


def construct(next_event: NextEvent, size: int, into: Constructed) -> None:
    """Reads all documents into `into`; `size` is the file's, in bytes.

    Refused: at the first problem after which nothing can be made of the rest.
    """
    _Construction(next_event, MAX_EXPANSION + EXPANSION_RATIO * size, into).run()


Frame = tuple[dict[str, Any] | None, list[Any], str | None, dict[str, Place] | None]
"""What a collection is in: a mapping or a list, the key there, and where to note places of keys."""


class _Construction:
    def __init__(self, next_event: NextEvent, expansion: int, out: Constructed) -> None:
        self._next = next_event
        self._expansion = expansion
        self._out = out
        self._stack: list[Frame] = []
        self._anchors: dict[str, Any] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self._known: dict[str, scalars.Scalar] = {}
        self._spoilt: list[tuple[dict[str, Any], str]] = []

    def run(self) -> None:
        next_event, stack = self._next, self._stack
        mapping: dict[str, Any] | None = None
        items: list[Any] = self._out.documents
        key: str | None = None
        places: dict[str, Place] | None = None
        known = self._known
        keys: dict[str, str] = {}
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                value = event.value
                if event.ctag is not None or event.anchor is not None or event.style == '"':
                    value = self._special(event, (mapping, items, key, places))
                elif not event.style and (mapping is None or key is not None):
                    value = known.get(value, _ANEW)
                    if value is _ANEW:
                        value = self._plain(event, (mapping, items, key, places))
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                mapping, items, _, places = stack.pop()
                key = None
                continue
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                mapping, items, places = self._open(event, (mapping, items, key, places))
                key = None
                continue
            elif kind is AliasEvent:
                value = self._alias(event, (mapping, items, key, places))
            else:
                self._stream(event)
                continue
            if mapping is None:
                items.append(value)
            elif key is not None:
                mapping[key] = value
                key = None
            else:
                key = keys.setdefault(value, value)
                if key in mapping or places is not None:
                    key = self._key(event, key, (mapping, items, None, places))
        self._clean()

    def _open(
        self, event: Any, frame: Frame
    ) -> tuple[dict[str, Any] | None, list[Any], dict[str, Place] | None]:
        """Begins a mapping or a list within what `frame` describes."""
        mapping, items, key, _ = frame
        is_mapping = type(event) is MappingStartEvent
        value: Any = {} if is_mapping else []
        if mapping is None:
            items.append(value)
        elif key is None:
            self._refuse("a key must be text, not a mapping or a list", event, frame)
        else:
            mapping[key] = value
        if event.ctag is not None:
            tag = str(event.ctag)
            if tag not in (_MAP_TAGS if is_mapping else _SEQ_TAGS):
                self._note(scalars.wrong_tag(tag), event, frame)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._stack.append(frame)
        depth = len(self._stack)
        if depth > MAX_DEPTH:
            self._refuse(_TOO_DEEP, event, frame)
        if not is_mapping:
            return None, value, None
        below_root = depth == 2 and key is not None
        return value, items, self._out.keys.setdefault(key or "", {}) if below_root else None

    def _special(self, event: Any, frame: Frame) -> scalars.Scalar:
        """A scalar with a tag, an anchor or escapes."""
        mapping, _, key, _ = frame
        is_key = mapping is not None and key is None
        tag = None if event.ctag is None else str(event.ctag)
        value: scalars.Scalar = event.value
        if _UNUSABLE.search(event.value):
            self._note("`\\0` and lone surrogates cannot be sent to the service", event, frame)
            value = _UNUSABLE.sub("\ufffd", event.value)
        elif is_key and tag not in (None, *_KEY_TAGS):
            self._note("a key is always text and takes no tag", event, frame)
        elif tag is not None and not is_key:
            try:
                value = scalars.tagged(event.value, tag)
            except scalars.ScalarError as error:
                self._note(str(error), event, frame)
        elif not event.style and not is_key:
            value = self._plain(event, frame)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _plain(self, event: Any, frame: Frame) -> scalars.Scalar:
        text: str = event.value
        try:
            value = scalars.plain(text)
        except scalars.ScalarError as error:
            self._note(str(error), event, frame)
            return text
        if len(text) < _SHORT:
            self._known[text] = value
        return value

    def _alias(self, event: Any, frame: Frame) -> Any:
        mapping, _, key, _ = frame
        name = event.anchor
        if mapping is not None and key is None:
            self._refuse("an alias cannot be a key; write the key itself", event, frame)
        if name not in self._anchors:
            self._refuse(f"`*{name}` is an alias for an anchor that is not above it", event, frame)
        value = self._anchors[name]
        inside = [*self._stack[1:], frame]
        if any(value is (items if mapping is None else mapping) for mapping, items, *_ in inside):
            self._refuse(f"`*{name}` stands within what it is an alias for", event, frame)
        size, height = self._measure(value)
        self._expansion -= size
        if self._expansion < 0:
            self._refuse(_TOO_LARGE, event, frame)
        if len(self._stack) + height > MAX_DEPTH:
            self._refuse(_TOO_DEEP, event, frame)
        return value

    def _measure(self, value: Any) -> tuple[int, int]:
        """The nodes and characters that an alias for `value` stands for, and its levels."""
        if isinstance(value, str):
            return 1 + len(value), 0
        if not isinstance(value, dict | list):
            return 1, 0
        known = self._sizes.get(id(value))
        if known is None:
            size, height = 1, 0
            for name in value if isinstance(value, dict) else ():
                size += 1 + len(name)
            for child in value.values() if isinstance(value, dict) else value:
                child_size, child_height = self._measure(child)
                size, height = size + child_size, max(height, child_height)
            known = self._sizes[id(value)] = (size, height + 1)
        return known

    def _key(self, event: Any, key: str, frame: Frame) -> str:
        """Notes where a key is; gives another name for one that its mapping has already.

        So the value of the first one stays. Within the value of a later one, which must go, no
        further ones are looked for.
        """
        mapping, _, _, places = frame
        if mapping is None or key not in mapping:
            if places is not None:
                places[key] = _place(event.start_mark)
            return key
        if not any((outer or "").startswith(_SPOILT) for _, _, outer, _ in self._stack):
            self._out.repeats.append(((*self._path(frame), key), _place(event.start_mark)))
        self._spoilt.append((mapping, _SPOILT + key))
        return _SPOILT + key

    def _clean(self) -> None:
        for mapping, key in self._spoilt:
            mapping.pop(key, None)
        out = self._out
        used = [(d, s) for d, s in zip(out.documents, out.starts, strict=True) if d is not None]
        out.documents, out.starts = [d for d, _ in used], [s for _, s in used]

    def _stream(self, event: Any) -> None:
        """Begins and ends of the stream and its documents."""
        if not isinstance(event, DocumentStartEvent):
            return
        self._anchors.clear()
        line = event.end_mark.line + 1
        self._out.starts.append((line, 1))
        if event.version not in (None, (1, 2)):
            what = "a manifest is YAML 1.2; leave the %YAML line out"
            self._out.problems.append(Problem((), what, line=line, column=1))

    def _path(self, frame: Frame) -> Path:
        steps: list[str | int] = []
        for mapping, items, key, _ in self._stack[1:]:
            steps.append(len(items) - 1 if mapping is None else (key or "").removeprefix(_SPOILT))
        mapping, items, key, _ = frame
        if self._stack and mapping is None:
            steps.append(len(items))
        elif key is not None:
            steps.append(key.removeprefix(_SPOILT))
        return tuple(steps)

    def _note(self, what: str, event: Any, frame: Frame) -> None:
        line, column = _place(event.start_mark)
        self._out.problems.append(Problem(self._path(frame), what, line=line, column=column))

    def _refuse(self, what: str, event: Any, frame: Frame) -> NoReturn:
        self._note(what, event, frame)
        raise Refused


def _place(mark: Any) -> Place:
    return mark.line + 1, mark.column + 1
