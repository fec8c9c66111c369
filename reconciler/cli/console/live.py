"""Rows of a terminal that are updated in place, and notes about slow requests."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from reconciler.cli.console.terminal import FOOT, write_stderr
from reconciler.messages.remarks import note_text
from reconciler.model.remarks import Arg
from reconciler.remote.exchange import RequestInFlight
from reconciler.render import cells, safe


class Screen:
    """The rows at the end of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown: list[str] = []
        self._size: tuple[int, int] | None = None

    @property
    def lines(self) -> int | None:
        """The number of rows that fit; None if unknown."""
        size = size_of(self._stream)
        return size[1] - 1 if size is not None else None

    def clear(self) -> None:
        """Removes the rows."""
        if self._shown:
            self.show(())

    def show(self, rows: Sequence[str]) -> None:
        """Writes the rows over the previous rows, truncated to the size of the terminal."""
        size = size_of(self._stream)
        text = _fitted(rows, *size) if size is not None else list(rows)
        if (text, size) == (self._shown, self._size):
            return
        FOOT.remove()
        self._stream.write(self._over(text, size))
        self._stream.flush()
        self._shown, self._size = text, size

    def _over(self, text: Sequence[str], size: tuple[int, int] | None) -> str:
        """Overwrites the old rows to their ends, to avoid flicker. After a resize, their position
        is unknown, because some terminals reflow lines."""
        up = f"\x1b[{len(self._shown)}A\r" if self._shown else "\r"
        moved = self._shown and size != self._size
        return ("\x1b[H" if moved else up) + "".join(f"{row}\x1b[K\n" for row in text) + "\x1b[J"


def size_of(stream: TextIO) -> tuple[int, int] | None:
    """Columns and lines of a terminal, None if unknown."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return (size.columns, size.lines) if size.columns > 0 and size.lines > 0 else None


def _fitted(rows: Sequence[str], columns: int, lines: int) -> list[str]:
    """Cuts rows so that they neither wrap nor scroll; otherwise, the cursor could not return to
    their start."""
    kept = list(rows)
    if len(kept) >= lines:
        more = len(kept) - lines + 2
        kept = [*kept[: max(0, lines - 4)], f"... ({more} more)", *kept[-2:]][-max(1, lines - 1) :]
    return [fit_row(row, columns) for row in kept]


def fit_row(row: str, columns: int) -> str:
    """The start of a row, with its colors and hyperlinks."""
    if cells.width(row) <= columns:
        return row
    kept, room = "", columns - 1
    for part in cells.MARKUP.split(row):
        if part.startswith("\x1b"):
            kept += part
        elif part and room > 0:
            piece = cells.split(part, room)[0]
            kept += piece if cells.width(piece) <= room else ""
            room = room - cells.width(piece) if piece == part else 0
    return kept + "…"


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
        """Shows the request that is waited for now."""
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
        facts: dict[str, Arg] = {"request": request.name, "seconds": int(seconds)}
        facts |= {"tries": request.tries, "why": request.why}
        return safe.line(note_text("no_answer.failed" if request.why else "no_answer", facts))
