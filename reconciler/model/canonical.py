"""JSON values: canonical form, digests, the texts in them, absent fields, comparable prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import UNSET

if TYPE_CHECKING:
    from json import JSONEncoder


@cache
def _encoder() -> JSONEncoder:
    from json import JSONEncoder  # costs a millisecond, and `taskctl validate` mostly needs none

    return JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: object) -> bytes:
    """UTF-8, sorted keys, no whitespace: equal values give equal bytes."""
    text = _encoder().encode(value)
    return text.encode("utf-8", "surrogatepass")


def digest(value: object) -> str:
    """`sha256:` and the hex SHA-256 of the canonical JSON."""
    import hashlib  # costs OpenSSL's start-up, and `taskctl validate` mostly needs no digest

    return "sha256:" + hashlib.sha256(canonical_json(value)).hexdigest()


def map_texts(change: Callable[[str], str], value: object, *, names: bool = False) -> Any:
    """The value with `change` applied to each text; with `names`, also to the names of members."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        items = value.items()
        return {
            change(name) if names else name: map_texts(change, inner, names=names)
            for name, inner in items
        }
    if isinstance(value, list | tuple):
        return [map_texts(change, inner, names=names) for inner in value]
    return value


def texts_in(value: object, *, names: bool = False) -> Iterator[str]:
    """All texts in a value; with `names`, also the names of members."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        if names and isinstance(value, Mapping):
            yield from value
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from texts_in(inner, names=names)


ABSENT = UNSET
"""The value of an absent field, where null has another meaning."""
