"""What is waited for while the service does not answer: on a terminal, a row that is rewritten;
elsewhere, a line now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from reconciler.cli.console.live import fit_row, size_of
from reconciler.cli.console.stderr import FOOT, write_stderr
from reconciler.model.remarks import Arg
from reconciler.remote.in_flight import RequestInFlight
from reconciler.render import safe

PATIENCE = 3.0
"""Seconds without an answer before anything is shown."""

BETWEEN_LINES = 30.0
"""Seconds between two lines, if they are not rewritten."""

_BETWEEN_TICKS = 1.0


class WaitNotes:
    """`longest` returns the request that has waited longest, if for so many seconds."""

    def __init__(
        self,
        longest: Callable[[float], tuple[RequestInFlight, float] | None],
        *,
        in_place: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._longest, self._in_place = longest, in_place
        self._clock, self._next = clock, 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wait notes", daemon=True)

    def start(self) -> None:
        """Shows it from now on, until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        FOOT.remove()

    def _run(self) -> None:
        while not self._stopped.wait(_BETWEEN_TICKS):
            self.tick()

    def tick(self) -> None:
        """Shows what is waited for now."""
        waiting = self._longest(PATIENCE)
        if waiting is None:
            FOOT.remove()
        elif self._in_place:
            size = size_of(sys.stderr)
            FOOT.show(fit_row(self._text(*waiting), size[0] - 1 if size is not None else 79))
        elif self._clock() >= self._next:
            self._next = self._clock() + BETWEEN_LINES
            write_stderr(self._text(*waiting) + "\n")

    def _text(self, request: RequestInFlight, seconds: float) -> str:
        from reconciler.messages.remarks import note_text

        facts: dict[str, Arg] = {"request": request.name, "seconds": int(seconds)}
        facts |= {"tries": request.tries, "why": request.why}
        return safe.line(note_text("no_answer.failed" if request.why else "no_answer", facts))
