"""Marks: the `message.timestamp` by which an attempt to create a task is recognized.

A mark is an RFC 3339 time in UTC with nine fractional digits. The first three are the clock's, the
last six are random, so nobody can guess it. The marks of one state ascend by at least 2 ms, so they
stay distinct if a service returns only milliseconds, truncated or rounded.

Marks are compared as integer nanoseconds, because `datetime` only has microseconds.
"""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

DIGITS = 9
"""Fractional digits of the marks that we send."""

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_STEP = 2 * _NS_PER_MS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
_MOST_DIGITS = 100


class _Time(NamedTuple):
    """`seconds` since 1970 and the fractional digits as written."""

    seconds: int
    fraction: str

    def scaled(self, digits: int) -> int:
        """In units of 10**-digits seconds; `digits` is at least the number of digits written."""
        shown = self.fraction
        return self.seconds * _power(digits) + int(shown.ljust(digits, "0") or "0")


def mint(now: datetime, after: str = "", entropy: int | None = None) -> str:
    """A new mark at the millisecond of `now`, or at the first one at least 2 ms after `after`.

    `after` is the latest mark so far ("" if none). `entropy` is the last six digits, 0 to 999,999
    (default: random). Raises OverflowError at the end of the calendar, and ValueError if `after` is
    not a time.
    """
    milliseconds = _ns_of(now) // _NS_PER_MS
    if after:
        latest = nanoseconds(after)
        if latest is None:
            raise ValueError(f"not an RFC 3339 time: {after}")
        milliseconds = max(milliseconds, -(-(latest + _STEP) // _NS_PER_MS))
    digits = random_digits() if entropy is None else entropy
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}{digits:06}Z"


def random_digits() -> int:
    """Random last six digits of a mark."""
    return secrets.randbelow(_NS_PER_MS)


def nanoseconds(shown: object) -> int | None:
    """An RFC 3339 time as nanoseconds since 1970, truncated; None for anything else. A time without
    an offset is UTC."""
    time = _parse(shown)
    if time is None:
        return None
    return time.seconds * _NS_PER_S + int(time.fraction[:DIGITS].ljust(DIGITS, "0"))


def is_mark(text: object) -> bool:
    """Whether this is a mark in exactly the form of `mint`."""
    ns = nanoseconds(text)
    return ns is not None and text == _text(ns)


def matches(mark: str, shown: object) -> bool:
    """Whether a service that was sent `mark` may return it as `shown`.

    With d fractional digits, that is the mark truncated or rounded to d digits (halves either way);
    trailing zeros may be missing, and the offset may differ.
    """
    ours, theirs = _parse(mark), _parse(shown)
    if ours is None or theirs is None:
        return False
    digits = max(len(ours.fraction), len(theirs.fraction))
    unit = _power(digits - len(theirs.fraction))
    less = ours.scaled(digits) - theirs.scaled(digits)
    return 0 <= less < unit or 2 * abs(less) <= unit


def is_exact(mark: str, shown: object) -> bool:
    """Whether `shown` is `mark` at full precision; trailing zeros may be missing."""
    ours, theirs = _parse(mark), _parse(shown)
    if ours is None or theirs is None:
        return False
    return (ours.seconds, ours.fraction.rstrip("0")) == (
        theirs.seconds,
        theirs.fraction.rstrip("0"),
    )


def _parse(shown: object) -> _Time | None:
    found = _RFC3339.fullmatch(shown) if isinstance(shown, str) else None
    if found is None:
        return None
    date, time, fraction, offset = found.groups()
    if offset in (None, "z"):
        offset = "Z"
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{offset}")
    except ValueError:
        return None
    return _Time(_ns_of(moment) // _NS_PER_S, (fraction or "")[:_MOST_DIGITS])


def _power(digits: int) -> int:
    power: int = 10**digits
    return power


def _ns_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _text(ns: int) -> str | None:
    seconds, fraction = divmod(ns, _NS_PER_S)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}.{fraction:09}Z"
