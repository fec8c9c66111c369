"""The retries of reads and their delays. Pure: randomness is a parameter."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from requests.exceptions import InvalidProxyURL

from reconciler.remote.exchange import TooLargeError

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which a read is retried; other 5xx statuses (501, 505) are permanent."""


class RetryPolicy(NamedTuple):
    """Exponential backoff with full jitter, in seconds.

    The pause after try n is random between 0 and `base * 2**(n - 1)`, or `cap` if that is less.
    `tries` limits the number of tries, `total` the time of all tries and pauses.
    """

    tries: int = 6
    base: float = 0.5
    cap: float = 15.0
    total: float = 90.0

    def wait(
        self,
        tried: int,
        spent: float,
        requested: float | None,
        spread: Callable[[float, float], float],
    ) -> float | None:
        """The pause before the next try, after `tried` tries and `spent` seconds; None: give up.

        `requested` is the service's `Retry-After`: the pause is that long plus jitter, so that
        clients do not return simultaneously. `spread(low, high)` returns a random number.
        """
        if tried >= self.tries:
            return None
        ceiling = min(self.cap, self.base * 2.0 ** (tried - 1))
        pause = (requested or 0.0) + spread(0.0, ceiling)
        return pause if spent + pause <= self.total else None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds of a `Retry-After` (number or HTTP date); None if missing or invalid.

    A date is relative to the response's own `Date`, or else to `now`.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else None
    moment = http_date(text)
    if moment is None:
        return None
    return max(0.0, (moment - (http_date(headers.get("Date", "")) or now)).total_seconds())


def http_date(text: str) -> datetime | None:
    """An HTTP date in UTC; None if invalid."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def causes(exc: BaseException) -> Iterator[BaseException]:
    """The exception and all its causes, including those wrapped by requests and urllib3."""
    queue: list[object] = [exc]
    seen: set[BaseException] = set()
    while queue:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and cause not in seen:
            seen.add(cause)
            yield cause
            queue += [getattr(cause, "reason", None), getattr(cause, "original_error", None)]
            queue += [*cause.args, cause.__cause__, cause.__context__]


def is_transient(exc: BaseException) -> bool:
    """Whether a retry may help: not for an invalid certificate or proxy URL, an unknown host, or a
    response that is too large."""
    return not any(
        isinstance(cause, ssl.SSLCertVerificationError | InvalidProxyURL | TooLargeError)
        or (isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME)
        for cause in causes(exc)
    )
