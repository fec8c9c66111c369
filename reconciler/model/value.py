"""Immutable values, as msgspec structs.

They are much faster than frozen dataclasses, above all to create the classes, at each start.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field
from msgspec.structs import replace

__all__ = ["Moment", "Stored", "Value", "field", "replace"]

Moment = Annotated[datetime, Meta(tz=True)]
"""A time with its offset from UTC."""


class Value(Struct, frozen=True):
    """A value with named fields. Values with equal fields are equal; a value is hashable if its
    fields are. `replace` makes a copy with other fields."""


class Stored(
    Value, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """A value that is stored as JSON (`model/typed_json.py`), without fields that have their
    default value. The garbage collector ignores it: values of JSON cannot be part of a cycle."""
