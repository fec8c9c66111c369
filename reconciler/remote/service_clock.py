"""The service's clock, from the `Date` header of its responses (which a proxy may have set)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from reconciler.model.clock import FARTHEST
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, warning
from reconciler.remote.exchange import ServiceResponse
from reconciler.remote.retries import http_date
from reconciler.remote.sanitize import shown_text


class ServiceClock:
    """Advances with `clock` (monotonic, in seconds), even if `Date` is constant, and never runs
    backwards. Thread-safe."""

    def __init__(self, clock: Callable[[], float], wall_clock: Callable[[], datetime]) -> None:
        self._clock, self._wall_clock = clock, wall_clock
        self._lock = threading.Lock()
        self._seen: tuple[datetime, float] | None = None
        self._last = ""
        self.ignored: Diagnostic | None = None

    def now(self) -> datetime | None:
        """The time in UTC; None before the first plausible `Date`."""
        with self._lock:
            return self._at(self._clock())

    def note(self, response: ServiceResponse) -> None:
        """Uses the `Date` of a 2xx if it is plausible."""
        text = response.headers.get("Date", "")
        if text == self._last:  # this clock has advanced since
            return
        moment = http_date(text)
        if moment is None or not 200 <= response.status < 300:
            return
        if abs(moment - self._wall_clock()) > FARTHEST:
            self.ignored = warning(Code.IMPLAUSIBLE_DATE, date=shown_text(text, 40))
            return
        with self._lock:
            self._last = text
            known = self._at(response.received)
            if known is None or moment > known:
                self._seen = (moment, response.received)

    def _at(self, time: float) -> datetime | None:
        return self._seen and self._seen[0] + timedelta(seconds=time - self._seen[1])
