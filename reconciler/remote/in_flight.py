"""The requests that have no answer yet, for whoever waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.model.remarks import Arg
from reconciler.remote.exchange import Request


class Unanswered(NamedTuple):
    """The request that waits longest, for so many seconds, of as many `requests` that wait too
    long. `why` is how the last try failed; empty for the first one."""

    request: str
    seconds: float
    tries: int
    why: Arg
    requests: int


@dataclass(slots=True, eq=False)
class RequestInFlight:
    """A request, its last try, and how the one before it failed."""

    request: Request
    since: float
    tries: int = 1
    why: Arg = ""

    def failed(self, why: Arg) -> None:
        """A try has failed, and another one follows."""
        self.tries, self.why = self.tries + 1, why


class InFlight:
    """Thread-safe. `clock` is in seconds; `name` is how messages name a request."""

    def __init__(self, clock: Callable[[], float], name: Callable[[Request], str]) -> None:
        self._clock, self._name, self._guard = clock, name, threading.Lock()
        self._open: dict[RequestInFlight, None] = {}

    @contextmanager
    def request(self, request: Request) -> Iterator[RequestInFlight]:
        """A request that waits for its answer in this context."""
        made = RequestInFlight(request, self._clock())
        with self._guard:
            self._open[made] = None
        try:
            yield made
        finally:
            with self._guard:
                del self._open[made]

    def longest(self, patience: float) -> Unanswered | None:
        """None if no request has waited for so many seconds."""
        now = self._clock()
        with self._guard:
            late = [each for each in self._open if now - each.since >= patience]
        if not late:
            return None
        first = late[0]
        return Unanswered(
            self._name(first.request), now - first.since, first.tries, first.why, len(late)
        )
