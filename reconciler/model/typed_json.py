"""JSON codecs for frozen dataclasses, derived from their annotations: the format of stored data.

msgspec cannot rename the fields of dataclasses, and `taskctl validate` must not import it. So a
msgspec struct with the same fields is derived from each class. Field names become camel case,
unless the class's `JSON_NAMES` gives another name. Equal values of a class with `JSON_SHARED` are
decoded to one object. Fields with their default value are omitted. A `TaskRef` is `ORG/KEY`, a time
is RFC 3339 with an offset, and a duration is ISO 8601. Decoding is strict: unknown fields, missing
fields and other types are errors with a path.
"""

from __future__ import annotations

import dataclasses
import re
import threading
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache, cached_property, lru_cache, partial, reduce
from operator import attrgetter, or_
from sys import intern
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from reconciler.model.canonical import ABSENT, map_texts
from reconciler.model.expectation import Expectation
from reconciler.model.generated import Generated, TaskOrigin
from reconciler.model.remarks import Arg, Remark, map_fact
from reconciler.model.task import TaskRef

T = TypeVar("T")
Convert = Callable[[Any], Any]
_Object = dict[str, Any]
Raw = msgspec.Raw
"""A JSON value that is not decoded yet."""

_LATE: dict[str, Any] = {
    "Expectation": Expectation,
    "Generated": Generated,
    "TaskOrigin": TaskOrigin,
}
"""Types of fields that `model/task.py` imports only for the type checker: `taskctl validate` loads
it, and rarely needs them."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_LOCK = threading.RLock()
_PLACE = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_FIELD = re.compile(r"Object (?:contains|missing required|contains unknown) field `(.*)`")

# Invisible in a review, or reordering the text around them.
_HIDDEN = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


class ShapeError(ValueError):
    """JSON of an unexpected shape. `path` is the location, such as `tasks[0].file`."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}" if path else what)
        self.path, self.what = path, what

    def under(self, outer: str) -> ShapeError:
        """The same error, seen from the enclosing value `outer`."""
        dot = "" if not self.path or self.path.startswith("[") else "."
        return ShapeError(f"{outer}{dot}{self.path}", self.what)


class Codec(Generic[T]):
    """Encodes and decodes a dataclass, or one of several, which a field `event` distinguishes.

    The structs are derived when first needed: most runs use few codecs.
    """

    def __init__(self, *kinds: type[T], without: Iterable[str] = ()) -> None:
        """`without` are fields that are not in the JSON, because its context supplies them."""
        self._kinds = kinds
        self._without = tuple(sorted(without))

    @cached_property
    def _shapes(self) -> Mapping[type, _Shape]:
        tagged = len(self._kinds) > 1
        with _LOCK:
            return {
                kind: _shape(
                    typing.cast("Any", kind),
                    self._without,
                    kind.__name__.lower() if tagged else None,
                )
                for kind in self._kinds
            }

    @cached_property
    def _by_struct(self) -> Mapping[type, _Shape]:
        return {shape.struct: shape for shape in self._shapes.values()}

    @cached_property
    def _type(self) -> Any:
        return shareable(reduce(or_, self._by_struct))

    @property
    def stored(self) -> Any:
        """The type of the JSON, for a schema."""
        return self._type

    def encode(self, value: T) -> bytes:
        """On one line, keys sorted, UTF-8. NaN and infinities become null, lone surrogates `?`."""
        return encode_json(self._shapes[type(value)].pack(value))

    def decode(self, data: bytes | Raw, **more: Any) -> T:
        """The value; `more` are the fields of `without`. Raises ShapeError for anything else."""
        found = decode_as(self._type, data)
        made: T = self._by_struct[type(found)].unpack(found, **more)
        return made

    def builtins(self, value: T) -> Any:
        """The value as dicts, lists and scalars of JSON; lone surrogates are kept."""
        found = msgspec.to_builtins(self._shapes[type(value)].pack(value), order="sorted")
        return map_texts(_same, found)

    def convert(self, value: object) -> T:
        """The inverse of `builtins`. Raises ShapeError."""
        try:
            found = msgspec.convert(value, self._type)
        except ValueError as problem:
            raise _shape_error(problem) from None
        made: T = self._by_struct[type(found)].unpack(found)
        return made


def encode_json(value: Any) -> bytes:
    """Any JSON value, which may contain `Raw` parts, on one line with sorted keys."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        # UTF-8 has no lone surrogates; they come from a service's escapes or from file names.
        built = msgspec.to_builtins(value, builtin_types=(Raw,))
        return _ENCODER.encode(map_texts(_without_surrogates, built, names=True))


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def members(data: bytes | Raw) -> dict[str, Raw]:
    """The members of a JSON object, not decoded yet. Raises ShapeError."""
    return decode_as(dict[str, Raw], data)


def decode_as(kind: type[T], data: bytes | Raw) -> T:
    """A JSON value of exactly that type. Raises ShapeError."""
    try:
        found: T = _decoder(typing.cast("Any", kind)).decode(data)
    except (ValueError, RecursionError) as problem:
        raise _shape_error(problem) from None
    return found


def shareable(kind: T) -> T:
    """The type `kind`, which threads can then use at the same time: msgspec crashes if several
    threads use a struct with structs in it for the first time at once."""
    with _LOCK:
        _decoder(kind)
    return kind


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def indented(data: bytes) -> bytes:
    """JSON for review: indent 2, and only invisible characters escaped."""
    text = msgspec.json.format(data, indent=2)
    return text if text.isascii() else _HIDDEN.sub(_escaped, text.decode()).encode()


def camel(name: str) -> str:
    """`task_id` -> `taskId`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _shape_error(problem: Exception) -> ShapeError:
    """An error of msgspec, with its path as a separate value."""
    if isinstance(problem, UnicodeDecodeError):
        return ShapeError("", "is not UTF-8")
    if isinstance(problem, RecursionError):
        return ShapeError("", "is nested too deeply")
    text = str(problem)
    found = _PLACE.fullmatch(text)
    what, path = found.groups() if found else (text, "")
    if field := _FIELD.fullmatch(what):
        unknown = what.startswith("Object contains")
        inner = ShapeError(field[1], "unknown field" if unknown else "required field is missing")
        return inner.under(path) if path else inner
    return ShapeError(path, what if what[1:2].isupper() else what[:1].lower() + what[1:])


class _Shape:
    """A dataclass, the struct derived from it, and the conversions between them."""

    def __init__(self, kind: type, struct: Any, parts: Mapping[str, tuple[Convert, Convert]]):
        self.struct = struct
        names = tuple(parts)
        renamed = dict(zip(names, struct.__struct_encode_fields__, strict=True))
        packs = tuple((at, pair[0]) for at, pair in enumerate(parts.values()) if pair is not _SAME)
        unpacks = tuple((name, pair[1]) for name, pair in parts.items() if pair is not _SAME)
        read = attrgetter(*names, names[0])  # with at least two names, it returns a tuple

        def pack(value: Any) -> Any:
            held = list(read(value)[:-1])
            for at, convert in packs:
                held[at] = convert(held[at])
            return struct(*held)

        def unpack(found: Any, **more: Any) -> Any:
            held = dict(zip(names, read(found), strict=False))
            for name, convert in unpacks:
                try:
                    held[name] = convert(held[name])
                except ShapeError as problem:
                    raise problem.under(renamed[name]) from None
            return kind(**held, **more)

        self.pack = pack
        self.unpack = lru_cache(256)(unpack) if getattr(kind, "JSON_SHARED", False) else unpack


def _same(value: Any) -> Any:
    return value


_SAME: tuple[Convert, Convert] = (_same, _same)


@cache
def _shape(kind: type, without: tuple[str, ...] = (), tag: str | None = None) -> _Shape:
    hints = typing.get_type_hints(kind, localns=_LATE)
    names: Mapping[str, str] = getattr(kind, "JSON_NAMES", {})
    fields: list[Any] = []
    parts: dict[str, tuple[Convert, Convert]] = {}
    for field in dataclasses.fields(kind):
        if field.name in without:
            continue
        hint, pair = _converted(hints[field.name])
        parts[field.name] = pair
        fields.append((field.name, hint, *_default(field, pair)))
    fields.sort(key=len)  # fields without a default first; the sort is stable
    parts = {name: parts[name] for name, *_ in fields}
    struct = msgspec.defstruct(
        kind.__name__,
        fields,
        rename={f.name: names.get(f.name, camel(f.name)) for f in dataclasses.fields(kind)},
        tag_field=tag and "event",
        tag=tag,
        omit_defaults=True,
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )
    return _Shape(kind, struct, parts)


def _default(field: dataclasses.Field[Any], pair: tuple[Convert, Convert]) -> list[Any]:
    if pair is _ABSENT:
        return [msgspec.UNSET]
    if field.default is not dataclasses.MISSING:
        return [pair[0](field.default)]
    if field.default_factory is dataclasses.MISSING:
        return []
    made = pair[0](field.default_factory())
    return [msgspec.field(default_factory=dict)] if made == {} else [made]


def _converted(hint: Any) -> tuple[Any, tuple[Convert, Convert]]:
    """The type of a field in the struct, and the conversions to and from it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return Any | msgspec.UnsetType, _ABSENT
    if hint is TaskRef:
        return str, (str, parse_ref)
    if hint == Arg:
        return str | int | float | bool | tuple[str | _Object, ...] | _Object | None, _FACT
    if hint is datetime:
        return Annotated[datetime, msgspec.Meta(tz=True)], _SAME
    if dataclasses.is_dataclass(hint):
        shape = _shape(typing.cast("type", hint))
        return shape.struct, (shape.pack, shape.unpack)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    item = arguments[0] if origin is tuple else arguments[1] if origin is Mapping else object
    inner, pair = (hint, _SAME) if item in (Any, object) else _converted(item)
    if pair is _SAME:
        return hint, _SAME
    to, back = pair
    if origin is tuple:
        return types.GenericAlias(tuple, (inner, ...)), (
            lambda held: tuple(map(to, held)),
            lambda found: tuple(map(back, found)),
        )
    return types.GenericAlias(dict, (str, inner)), (
        lambda held: {name: to(value) for name, value in held.items()},
        lambda found: {name: back(value) for name, value in found.items()},
    )


def _union(arguments: tuple[Any, ...]) -> tuple[Any, tuple[Convert, Convert]]:
    converted = [_converted(argument) for argument in arguments]
    union = reduce(or_, (inner for inner, _ in converted))
    pairs = [pair for _, pair in converted if pair is not _SAME]
    if not pairs:
        return union, _SAME
    ((to, back),) = pairs
    return union, (
        lambda held: None if held is None else to(held),
        lambda found: None if found is None else back(found),
    )


_ABSENT: tuple[Convert, Convert] = (
    lambda held: msgspec.UNSET if held is ABSENT else held,
    lambda found: ABSENT if found is msgspec.UNSET else found,
)


_REMARK = Codec(Remark)
_FACT: tuple[Convert, Convert] = (
    partial(map_fact, _REMARK.builtins, Remark),
    partial(map_fact, _REMARK.convert, dict),
)


def parse_ref(text: str) -> TaskRef:
    """`ORG/KEY`. Raises ShapeError."""
    org_name, slash, key = text.partition("/")
    if not slash:
        raise ShapeError("", f"expected ORGANIZATION/KEY, got {text!r}")
    return TaskRef(intern(org_name), key)


def _escaped(hidden: re.Match[str]) -> str:
    units = hidden.group().encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
