"""Frozen dataclasses as JSON and back, by their annotations; strict, so that nothing is guessed.

Field names become camel case. A field that holds its default, or `ABSENT`, is left out. Times are
RFC 3339, durations microseconds.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from reconciler.model.diagnostics import Arg
from reconciler.model.task import TaskRef
from reconciler.plan.plan import ABSENT

T = TypeVar("T")


class ShapeError(ValueError):
    """A value is not what its place asks for; `path` is where, from the outside in."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}" if path else what)
        self.path = path


def pack(value: Any) -> Any:
    """The JSON value of a dataclass, or of what a field of one may hold."""
    if isinstance(value, TaskRef):
        return [value.org_name, value.key]
    if is_dataclass(value) and not isinstance(value, type):
        return {
            camel(f.name): pack(held)
            for f in fields(value)
            if (held := getattr(value, f.name)) is not ABSENT and not _is_default(f, held)
        }
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value / timedelta(microseconds=1)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [pack(element) for element in value]
    if isinstance(value, Mapping):
        return {name: pack(element) for name, element in value.items()}
    return value


def unpack(kind: type[T], value: Any) -> T:
    """The dataclass `kind` from its JSON value; ShapeError where it is not one."""
    made: T = _unpack(kind, value, "")
    return made


def _unpack(kind: Any, value: Any, path: str) -> Any:
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _unpack_optional(arguments, value, path)
    if origin is tuple:
        elements = _need(value, list, path)
        return tuple(_unpack(arguments[0], e, f"{path}[{i}]") for i, e in enumerate(elements))
    if kind is TaskRef:
        if not (isinstance(value, list) and [type(part) for part in value] == [str, str]):
            raise ShapeError(path, "must be an organization and a key")
        return TaskRef(*value)
    if is_dataclass(kind):
        return _unpack_fields(kind, _need(value, dict, path), path)
    if kind is datetime:
        return _moment(_need(value, str, path), path)
    if kind is timedelta:
        return timedelta(microseconds=_need(value, float, path))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if value not in [member.value for member in kind]:
            raise ShapeError(path, f"{value!r} is not one of {', '.join(kind)}")
        return kind(value)
    if origin is not None:
        return _unpack_mapping(arguments[1], _need(value, dict, path))
    return _need(value, kind, path)


def _unpack_mapping(kind: Any, value: dict[str, Any]) -> dict[str, Any]:
    """Facts of diagnostics and remarks (`Arg`) hold tuples, not lists."""
    if kind != Arg:
        return value
    return {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}


def _unpack_optional(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    if type(value) in kinds:
        return value
    (kind,) = (kind for kind in kinds if kind is not types.NoneType)
    return _unpack(kind, value, path)


def _unpack_fields(kind: Any, value: dict[str, Any], path: str) -> Any:
    known = _fields(kind)
    unknown = sorted(value.keys() - known.keys())
    if unknown:
        raise ShapeError(_under(path, unknown[0]), "is not known")
    held: dict[str, Any] = {}
    for name, (described, hint) in known.items():
        if name in value:
            held[described.name] = _unpack(hint, value[name], _under(path, name))
        elif hint is Any:
            held[described.name] = ABSENT
        elif described.default is MISSING and described.default_factory is MISSING:
            raise ShapeError(_under(path, name), "is missing")
    return kind(**held)


@cache
def _fields(kind: Any) -> dict[str, tuple[Field[Any], Any]]:
    hints = typing.get_type_hints(kind)
    return {camel(f.name): (f, hints[f.name]) for f in fields(kind)}


def _need(value: Any, kind: type, path: str) -> Any:
    if type(value) is not kind:
        words: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
        raise ShapeError(path, f"must be {words.get(kind, kind.__name__)}")
    return value


def _moment(text: str, path: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as problem:
        raise ShapeError(path, f"{text!r} is no time") from problem


def _is_default(described: Field[Any], held: Any) -> bool:
    if described.default is not MISSING:
        return type(held) is type(described.default) and bool(held == described.default)
    return described.default_factory is not MISSING and held == described.default_factory()


def camel(name: str) -> str:
    """`task_id` -> `taskId`."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
