"""Parser events -> plain data. Iterative, so that deep nesting cannot exhaust the stack.

Apart from the parser itself, `Construction.run` takes most of the time of reading a manifest, so
it seldom calls functions.
"""

from __future__ import annotations

import re
from functools import cached_property
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

from reconciler.manifest.finding import NO_FACTS, Facts, Finding, too_many_errors
from reconciler.manifest.parse import scalars
from reconciler.manifest.parse.spans import NextEvent, Position
from reconciler.model import limits
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Path
from reconciler.model.remarks import RemarkError
from reconciler.model.value import Value

_MISSING = object()
_SHORT = 32
_UNSENDABLE = "[\0\ud800-\udfff]"
_DUPLICATE = "\0"
_MERGE_KEY = "<<"
_TEXT_TAGS = ("!", scalars.CORE + "str")
_MAP_TAGS = ("!", scalars.CORE + "map")
_SEQ_TAGS = ("!", scalars.CORE + "seq")


class UnreadableDocumentError(Exception):
    """The rest of the file cannot be read; the reason is already a finding."""


class Frame(Value, frozen=True):
    """An open mapping, or a list of `items` if there is no `mapping`; the key whose value comes
    next, and where to record the `positions` of keys."""

    mapping: dict[str, object] | None
    items: list[object]
    key: str | None
    positions: dict[str, Position] | None = None

    @property
    def awaits_key(self) -> bool:
        return self.mapping is not None and self.key is None


class Construction:
    """Reads all documents of the text `body` from its events.

    `documents` are the documents that are not empty, each with its position in `starts`. `keys` has
    the positions of keys one level below the root: `keys["tasks"]["rotate-iam-keys"]`. `repeats`
    are duplicate keys. With `repeats` or `findings`, the data must not be used, except to look
    for further problems.
    """

    def __init__(self, next_event: NextEvent, body: bytes) -> None:
        self.documents: list[object] = []
        self.starts: list[Position] = []
        self.keys: dict[str, dict[str, Position]] = {}
        self.findings: list[Finding] = []
        self.repeats: list[tuple[Path, Position]] = []
        self._next = next_event
        self._body = body
        self._expansion = limits.ALIAS_VALUES
        self._stack: list[Frame] = []
        self._anchors: dict[str, object] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._known: dict[str, scalars.Scalar] = {}
        self._duplicates: list[tuple[dict[str, object], str]] = []

    def run(self) -> None:
        """Constructs all documents. Raises UnreadableDocumentError if the rest of the text cannot
        be read."""
        next_event, stack = self._next, self._stack
        mapping: dict[str, object] | None = None
        items: list[object] = self.documents
        key: str | None = None
        positions: dict[str, Position] | None = None
        known = self._known
        # A merge key becomes empty, so that `_key` handles it without a test of every other key.
        keys = {_MERGE_KEY: ""}
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                value = event.value
                if event.ctag is not None or event.anchor is not None or event.style == '"':
                    value = self._special(event, Frame(mapping, items, key))
                elif not event.style and (mapping is None or key is not None):
                    value = known.get(value, _MISSING)
                    if value is _MISSING:
                        value = self._plain(event, Frame(mapping, items, key))
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                outer = stack.pop()
                mapping, items, positions = outer.mapping, outer.items, outer.positions
                key = None
                continue
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                mapping, items, positions = self._open(event, Frame(mapping, items, key, positions))
                key = None
                continue
            elif kind is AliasEvent:
                value = self._alias(event, Frame(mapping, items, key))
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
                if key in mapping or positions is not None or not key:
                    key = self._key(event, key, Frame(mapping, items, None, positions))
        self._clean()

    def _open(
        self, event: Any, frame: Frame
    ) -> tuple[dict[str, object] | None, list[object], dict[str, Position] | None]:
        """Starts a mapping or a list in `frame`."""
        is_mapping = type(event) is MappingStartEvent
        value: Any = {} if is_mapping else []
        if frame.mapping is None:
            frame.items.append(value)
        elif frame.key is None:
            at = event.start_mark.index
            is_template = is_mapping and self._text[at - 1 : at + 1] == "{{"
            case = "template" if is_template else "collection"
            self._refuse(event, frame, Code.INVALID_KEY, case)
        else:
            frame.mapping[frame.key] = value
        if event.ctag is not None:
            tag = str(event.ctag)
            if tag not in (_MAP_TAGS if is_mapping else _SEQ_TAGS):
                self._note(event, frame, Code.INVALID_TAG, "", {"tag": scalars.spelled(tag)})
        if event.anchor is not None:
            self._anchor(event, value)
        self._stack.append(frame)
        depth = len(self._stack)
        if depth > limits.YAML_DEPTH:
            self._refuse(event, frame, Code.EXCESSIVE_NESTING, "", {"limit": limits.YAML_DEPTH})
        if not is_mapping:
            return None, value, None
        below_root = depth == 2 and frame.key is not None
        positions = self.keys.setdefault(frame.key or "", {}) if below_root else None
        return value, frame.items, positions

    def _special(self, event: Any, frame: Frame) -> scalars.Scalar:
        """The value of a scalar that has a tag, an anchor or double quotes."""
        is_key = frame.awaits_key
        tag = None if event.ctag is None else str(event.ctag)
        value: scalars.Scalar = event.value
        if re.search(_UNSENDABLE, event.value):
            self._note(event, frame, Code.INVALID_CHARACTER, "unsendable")
            value = re.sub(_UNSENDABLE, "\ufffd", event.value)
        elif tag is not None and tag not in _TEXT_TAGS:
            code, case = (Code.INVALID_KEY, "tag") if is_key else (Code.INVALID_TAG, "")
            self._note(event, frame, code, case, {"tag": scalars.spelled(tag)})
        elif tag is None and not event.style and not is_key:
            value = self._plain(event, frame)
        if event.anchor is not None:
            self._anchor(event, value)
        return value

    def _anchor(self, event: Any, value: object) -> None:
        self._anchors[event.anchor] = value
        self._sizes.pop(event.anchor, None)

    @cached_property
    def _text(self) -> str:
        return self._body.decode("utf-8", "replace")

    def _plain(self, event: Any, frame: Frame) -> scalars.Scalar:
        text: str = event.value
        try:
            value = scalars.plain(text)
        except RemarkError as error:
            self._note(event, frame, error.code, error.case, error.facts)
            return text
        if len(text) < _SHORT:
            self._known[text] = value
        return value

    def _alias(self, event: Any, frame: Frame) -> object:
        name = event.anchor
        if frame.awaits_key:
            self._refuse(event, frame, Code.INVALID_ALIAS, "key", {"alias": name})
        if name not in self._anchors:
            self._refuse(event, frame, Code.INVALID_ALIAS, "unknown", {"alias": name})
        value = self._anchors[name]
        inside = [*self._stack[1:], frame]
        if any(value is (f.items if f.mapping is None else f.mapping) for f in inside):
            self._refuse(event, frame, Code.INVALID_ALIAS, "recursive", {"alias": name})
        if name not in self._sizes:
            self._sizes[name] = _measure(value)
        size, height = self._sizes[name]
        self._expansion -= size
        if self._expansion < 0:
            self._refuse(event, frame, Code.EXCESSIVE_ALIASES)
        if len(self._stack) + height > limits.YAML_DEPTH:
            self._refuse(event, frame, Code.EXCESSIVE_NESTING, "", {"limit": limits.YAML_DEPTH})
        return value

    def _key(self, event: Any, key: str, frame: Frame) -> str:
        """Records the position of a key, and returns it. Returns another name for a merge key, and
        for a duplicate, so that the first value is kept. Duplicates below a duplicate are not
        reported."""
        mapping, positions = frame.mapping, frame.positions
        if event.value == _MERGE_KEY:
            key = _MERGE_KEY
            if not event.style and mapping is not None:
                self._note(event, Frame(mapping, frame.items, key), Code.MERGE_KEY)
                self._duplicates.append((mapping, _DUPLICATE + key))
                return _DUPLICATE + key
        elif not key and not event.style:
            self._refuse(event, frame, Code.INVALID_KEY, "empty")
        if mapping is None or key not in mapping:
            if positions is not None:
                positions[key] = _position(event.start_mark)
            return key
        if not any((outer.key or "").startswith(_DUPLICATE) for outer in self._stack):
            self._refuse_more_errors()
            self.repeats.append(((*self._path(frame), key), _position(event.start_mark)))
        self._duplicates.append((mapping, _DUPLICATE + key))
        return _DUPLICATE + key

    def _clean(self) -> None:
        for mapping, key in self._duplicates:
            mapping.pop(key, None)
        used = [(d, s) for d, s in zip(self.documents, self.starts, strict=True) if d is not None]
        self.documents, self.starts = [d for d, _ in used], [s for _, s in used]

    def _stream(self, event: Any) -> None:
        """Starts a document; other events of the stream have no effect."""
        if not isinstance(event, DocumentStartEvent):
            return
        self._anchors.clear()
        line = event.end_mark.line + 1
        if self.starts and not event.explicit:
            self.findings.append(Finding(Code.MULTIPLE_DOCUMENTS, (), position=(line, 1)))
            raise UnreadableDocumentError
        self.starts.append((line, 1))
        if event.version not in (None, (1, 2)):
            version = ".".join(map(str, event.version))
            facts, at = {"version": version}, (line, 1)
            found = Finding(Code.UNSUPPORTED_YAML_VERSION, (), "", facts, position=at)
            self.findings.append(found)

    def _path(self, frame: Frame) -> Path:
        steps: list[str | int] = []
        for outer in self._stack[1:]:
            name = (outer.key or "").removeprefix(_DUPLICATE)
            steps.append(len(outer.items) - 1 if outer.mapping is None else name)
        if self._stack and frame.mapping is None:
            steps.append(len(frame.items))
        elif frame.key is not None:
            steps.append(frame.key.removeprefix(_DUPLICATE))
        return tuple(steps)

    def _note(
        self,
        event: Any,
        frame: Frame,
        code: Code,
        case: str = "",
        facts: Facts = NO_FACTS,
    ) -> None:
        self._refuse_more_errors()
        path, at = self._path(frame), _position(event.start_mark)
        self.findings.append(Finding(code, path, case, facts, position=at))

    def _refuse_more_errors(self) -> None:
        if len(self.findings) + len(self.repeats) == limits.FILE_ERRORS:
            self.findings.append(too_many_errors())
            raise UnreadableDocumentError

    def _refuse(
        self, event: Any, frame: Frame, code: Code, case: str = "", facts: Facts = NO_FACTS
    ) -> NoReturn:
        self._note(event, frame, code, case, facts)
        raise UnreadableDocumentError


def _position(mark: Any) -> Position:
    return mark.line + 1, mark.column + 1


def _measure(value: object) -> tuple[int, int]:
    """The number of nodes and characters of an aliased value, and its depth. The time
    is limited, because nested aliases were already subtracted from `limits.ALIAS_VALUES`."""
    if isinstance(value, str):
        return 1 + len(value), 0
    if not isinstance(value, dict | list):
        return 1, 0
    size, height = 1, 0
    for name in value if isinstance(value, dict) else ():
        size += 1 + len(name)
    for child in value.values() if isinstance(value, dict) else value:
        child_size, child_height = _measure(child)
        size, height = size + child_size, max(height, child_height)
    return size, height + 1
