"""JSON of stored values (`model/value.py`).

Names are in camel case, and fields with their default value are omitted. A time is RFC 3339 with an
offset, a duration is ISO 8601, and a named tuple is an array. Decoding is strict: unknown fields,
missing fields and other types are errors with a path.

An object may begin with a checksum: the CRC-32 of everything after it. It detects accidental
damage: a person can compute another checksum.
"""

from __future__ import annotations

import re
import threading
import zlib
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from reconciler.model import limits
from reconciler.model.canonical import INVISIBLE, map_texts
from reconciler.model.remarks import Arg, Remark, remark
from reconciler.model.task import TaskRef

T = TypeVar("T")
Raw = msgspec.Raw
"""A JSON value that is not decoded yet."""

_ENCODER = msgspec.json.Encoder(order="sorted")
_LOCK = threading.Lock()
_PLACE = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_OUTER: Any = list[Raw] | dict[str, Raw] | str | float | bool | None
_FIELD = re.compile(r"Object (?:contains|missing required|contains unknown) field `(.*)`")


class ShapeError(ValueError):
    """JSON of an unexpected shape. `path` is the location, such as `tasks[0].file`, and `what` the
    problem: a remark `shape.CASE`."""

    def __init__(self, path: str, case: str, /, **facts: Arg) -> None:
        super().__init__(path, case)
        self.path, self.what = path, remark(f"shape.{case}", **facts)

    def under(self, outer: str) -> ShapeError:
        """The same error, seen from the enclosing value `outer`."""
        dot = "" if not self.path or self.path.startswith("[") else "."
        self.path = f"{outer}{dot}{self.path}"
        return self

    @property
    def cause(self) -> Remark:
        """The problem with its location, as a fact."""
        return remark("shape", path=self.path, what=self.what)


def encode_json(value: Any) -> bytes:
    """Any JSON value, which may contain `Raw` parts, on one line with sorted keys."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        # UTF-8 has no lone surrogates; they come from file names.
        built = msgspec.to_builtins(value, builtin_types=(Raw,))
        return _ENCODER.encode(map_texts(_without_surrogates, built, names=True))


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def members(data: bytes | Raw) -> dict[str, Raw]:
    """The members of a JSON object, not decoded yet. Raises ShapeError."""
    return decode_outline(dict[str, Raw], data)


def items(data: bytes | Raw) -> list[Raw]:
    """The items of a JSON array, not decoded yet. Raises ShapeError."""
    return decode_outline(list[Raw], data)


def decode_outline(kind: type[T], data: bytes | bytearray | Raw) -> T:
    """A JSON value of exactly that type, with `Raw` parts for nested values. Raises ShapeError."""
    try:
        found: T = _decoder(cast("Any", kind)).decode(data)
    except (ValueError, RecursionError) as problem:
        raise _shape_error(problem) from None
    return found


def decode_as(kind: type[T], data: bytes | Raw) -> T:
    """A JSON value of exactly that type, with a limited depth, so that recursive functions can
    process it. Raises ShapeError."""
    found = decode_outline(kind, data)
    if _may_be_deep(data, limits.STORED_DEPTH) and _is_deep(data, limits.STORED_DEPTH):
        raise ShapeError("", "deep")
    return found


def _is_deep(data: bytes | Raw, most: int) -> bool:
    """Whether valid JSON has more than `most` levels."""
    level = [data]
    for left in range(most, -1, -1):
        outer = [decode_outline(_OUTER, part) for part in level if _may_be_deep(part, left)]
        lists = [p if isinstance(p, list) else p.values() for p in outer if type(p) in (dict, list)]
        level = [part for parts in lists for part in parts]
        if not lists:
            return False
    return True


def _may_be_deep(data: bytes | Raw, most: int) -> bool:
    """Counts the brackets: `replace` finds them several times as fast as `count`."""
    text = bytes(data)
    return len(text) - len(text.replace(b"{", b"").replace(b"[", b"")) > most


def builtins_of(value: object) -> Any:
    """The value as dicts, lists and scalars of JSON; lone surrogates are kept."""
    return map_texts(str, msgspec.to_builtins(value, order="sorted"))


def shareable(kind: T) -> T:
    """Prepares a type to be decoded by several threads at once, and returns it."""
    _decoder(kind)
    return kind


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """The decoder of a type, created under a lock: msgspec crashes if several threads use a struct
    that contains structs for the first time at the same moment."""
    with _LOCK:
        return msgspec.json.Decoder(kind)


def indented(data: bytes) -> bytes:
    """JSON for review: indent 2, and only invisible characters escaped."""
    text = msgspec.json.format(data, indent=2)
    is_plain = text.isascii() and b"\x7f" not in text
    return text if is_plain else re.sub(f"[{INVISIBLE}]", _escaped, text.decode()).encode()


def _shape_error(problem: Exception) -> ShapeError:
    """The ShapeError for an error of msgspec, whose message contains the path."""
    if isinstance(problem, UnicodeDecodeError):
        return ShapeError("", "utf8")
    if isinstance(problem, RecursionError):
        return ShapeError("", "deep")
    text = str(problem)
    found = _PLACE.fullmatch(text)
    what, path = found.groups() if found else (text, "")
    if field := _FIELD.fullmatch(what):
        case = "unknown" if what.startswith("Object contains") else "missing"
        inner = ShapeError(field[1], case)
        return inner.under(path) if path else inner
    what = what if what[1:2].isupper() else what[:1].lower() + what[1:]
    return ShapeError(path, "other", what=what)


def parse_ref(text: str) -> TaskRef:
    """`ORG/KEY`. Raises ShapeError."""
    org_name, slash, key = text.partition("/")
    if not slash:
        raise ShapeError("", "ref", text=text)
    return TaskRef(org_name, key)


def _escaped(hidden: re.Match[str]) -> str:
    units = hidden.group().encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


_MEMBER = re.compile(rb'\{\s*"checksum": ?"([0-9a-f]{8})",')


def with_checksum(data: bytes) -> bytes:
    """The JSON object `data`, in its own layout, with a checksum and a final newline. It is copied
    once: the head of a shared state is long, and written with each event."""
    start = data[: data.index(b'"')]
    rest = memoryview(data)[1:]
    crc = zlib.crc32(b"\n", zlib.crc32(rest))
    return b"".join((b'%b"checksum": "%08x",' % (start, crc), rest, b"\n"))


def is_intact(data: bytes) -> bool:
    """Whether a JSON object begins with the checksum of its rest."""
    found = _MEMBER.match(data)
    return found is not None and found[1] == b"%08x" % zlib.crc32(memoryview(data)[found.end() :])
