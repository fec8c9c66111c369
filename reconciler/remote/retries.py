"""When a read is retried, and after how long. Pure: the randomness is passed in."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from requests.exceptions import InvalidProxyURL

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which a read is retried; other 5xx (501, 505) are permanent."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, in seconds.

    The n-th wait is evenly spread between 0 and `base * 2**n`, at most `cap`. `tries` and `total`
    (waits and answers together) bound the whole.
    """

    tries: int = 6
    base: float = 0.5
    cap: float = 15.0
    total: float = 90.0

    def wait(
        self, tried: int, spent: float, asked: float | None, spread: Callable[[float, float], float]
    ) -> float | None:
        """Seconds until the next try, after `tried` tries and `spent` seconds; None: give up.

        `asked` is the service's `Retry-After`: never less than that, and spread beyond it, so
        that those who were told the same do not come back together. `spread(low, high)` draws.
        """
        if tried >= self.tries:
            return None
        ceiling = min(self.cap, self.base * 2.0 ** (tried - 1))
        pause = spread(0.0, ceiling) if asked is None else asked + spread(0.0, ceiling)
        return pause if spent + pause <= self.total else None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds of a `Retry-After`, a number or an HTTP date; None if missing or invalid.

    A date is measured by the answer's own `Date`, where it has one, else by `now`.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else None
    moment = http_date(text)
    if moment is None:
        return None
    return max(0.0, (moment - (http_date(headers.get("Date", "")) or now)).total_seconds())


def http_date(text: str) -> datetime | None:
    """An HTTP date as an aware UTC datetime; None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, however requests and urllib3 wrapped them."""
    waiting: list[object] = [exc]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [getattr(one, "reason", None), getattr(one, "original_error", None)]
        waiting += [*one.args, one.__cause__, one.__context__]


def passes_by_itself(exc: BaseException) -> bool:
    """Whether a retry may help: not with a bad certificate or a name that does not exist."""
    for cause in causes(exc):
        if isinstance(cause, ssl.SSLCertVerificationError | InvalidProxyURL):
            return False
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return False
    return True
