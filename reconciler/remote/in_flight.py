"""The requests that have no answer yet, for whoever waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from reconciler.model.remarks import Arg


@dataclass(slots=True, eq=False)
class RequestInFlight:
    """A request since its first try, which is in flight in its context; `why` is how the try before
    this one failed, and `named` makes its name, which few requests wait long enough to need."""

    among: InFlight
    named: Callable[[], str]
    since: float
    tries: int = 1
    why: Arg = ""

    def __enter__(self) -> Self:
        with self.among.guard:
            self.among.open[self] = None
        return self

    def __exit__(self, *_: object) -> None:
        with self.among.guard:
            del self.among.open[self]

    @property
    def name(self) -> str:
        """Without its query."""
        return self.named().partition("?")[0]

    def failed(self, why: Arg) -> None:
        """A try has failed, and another one follows."""
        self.tries, self.why = self.tries + 1, why


class InFlight:
    """Thread-safe. `clock` is in seconds. `open` are the requests, the oldest first, which only
    the holder of `guard` may use."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self.guard = clock, threading.Lock()
        self.open: dict[RequestInFlight, None] = {}

    def request(self, named: Callable[[], str]) -> RequestInFlight:
        """A request that waits for its answer in its context."""
        return RequestInFlight(self, named, self._clock())

    def longest(self, patience: float) -> tuple[RequestInFlight, float] | None:
        """The request that waits longest, and its seconds; None if none waits for that many."""
        with self.guard:
            first = next(iter(self.open), None)
        seconds = self._clock() - first.since if first is not None else 0.0
        return (first, seconds) if first is not None and seconds >= patience else None
