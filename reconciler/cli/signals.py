"""SIGINT and SIGTERM while creates run: the first ends it in order, the second at once."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from contextlib import AbstractContextManager, suppress
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts(AbstractContextManager["Interrupts"]):
    """In force while it is entered. The first signal writes `words` to stderr.

    The second writes `farewell`, the whole result, to stdout, and the process is gone with exit
    code 130 or 143; the attempts that were running are in the journal as open (contract,
    section 3).
    """

    def __init__(self, words: str, farewell: str = "") -> None:
        self._words, self._farewell = words.encode(), farewell.encode()
        self._stop = threading.Event()
        self._before: dict[int, Any] = {}
        self.exit_code: int | None = None

    def wait(self, seconds: float) -> bool:
        """Sleeps so long, or until a signal comes; whether to go on."""
        if seconds > 0 and self.exit_code is None:
            self._stop.wait(seconds)
        return self.exit_code is None

    def __enter__(self) -> Interrupts:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.exit_code is not None:
            with suppress(OSError):
                os.write(1, self._farewell)
            os._exit(128 + number)
        self.exit_code = 128 + number
        # Not here: what the signal interrupts may be a wait that holds the lock of this event.
        _thread.start_new_thread(self._stop.set, ())
        with suppress(OSError):
            os.write(2, self._words)  # not sys.stderr: the signal may have come while it writes
