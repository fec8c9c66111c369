"""Marks: the `message.timestamp` by which an attempt to create a task is recognized.

A mark is an RFC 3339 time in UTC with six fractional digits, all of them random, so nobody can
guess it. Marks are not ordered.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_US_PER_S = 1_000_000
_DIGITS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)


def mint(now: datetime, less: int | None = None) -> str:
    """A new mark: `now` minus `less` microseconds (default: a random part of a second).

    The last digit is never 0, because services drop zeros at the end. Raises OverflowError at the
    beginning of the calendar.
    """
    if less is None:
        less = secrets.randbelow(_US_PER_S)
    moment = now - timedelta(microseconds=less)
    if moment.microsecond % 10 == 0:
        moment -= timedelta(microseconds=1 + secrets.randbelow(9))
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def microseconds(value: object) -> int | None:
    """An RFC 3339 time as microseconds since 1970; None for anything else, and for a time between
    two microseconds. A time without an offset is UTC."""
    match = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    date, time, fraction, offset = match.groups()
    fraction = (fraction or "").rstrip("0")
    if len(fraction) > _DIGITS:
        return None
    offset = "Z" if offset in (None, "z") else offset
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{offset}")
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1) * _US_PER_S + int(fraction.ljust(_DIGITS, "0"))


def is_same(mark: str, shown: object) -> bool:
    """Whether both are the same instant to the microsecond, in any spelling."""
    ours = microseconds(mark)
    return ours is not None and ours == microseconds(shown)


def is_mark(text: object) -> bool:
    """Whether this is a mark in exactly the form of `mint`."""
    us = microseconds(text)
    if us is None or us % 10 == 0:
        return False
    try:
        moment = _EPOCH + timedelta(microseconds=us)
    except OverflowError:
        return False
    return text == f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class Kept(StrEnum):
    """How a service returns a mark."""

    KEPT = "kept"
    CUT_OFF = "cutOff"  # returned with fewer digits
    REPLACED = "replaced"


def kept(mark: str, shown: object) -> Kept:
    """How the service kept `mark`, which it returns as `shown`."""
    if is_same(mark, shown):
        return Kept.KEPT
    ours, theirs = microseconds(mark), microseconds(shown)
    if ours is None or theirs is None:
        return Kept.REPLACED
    unit = max(10**zeros for zeros in range(_DIGITS + 1) if theirs % 10**zeros == 0)
    return Kept.CUT_OFF if unit > 1 and abs(ours - theirs) < unit else Kept.REPLACED
