"""SIGINT and SIGTERM: the first signal stops a run gracefully, a second one immediately."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from contextlib import AbstractContextManager, suppress
from types import FrameType
from typing import Any

from reconciler.cli.exit_codes import SIGNALLED
from reconciler.system.clock import Stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts(AbstractContextManager["Stop"]):
    """Handles signals within its context, which the main thread must enter. The first signal writes
    `message` to stderr.

    A second signal writes `result` to stdout and exits with code 130 or 143; attempts in flight
    stay open in the journal.

    A separate thread reacts to the signals, because Python runs handlers only in the main thread,
    and only while that thread executes Python code. If it waits for a response, a handler would not
    run until the response arrives.
    """

    def __init__(self, message: str, result: str = "") -> None:
        self._message, self._result = message.encode(), result.encode()
        self._stop = Stop()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        self._readable, self._writable = os.pipe()
        os.set_blocking(self._writable, False)  # as set_wakeup_fd requires
        self._wakeup = signal.set_wakeup_fd(self._writable, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._listen, name="signals", daemon=True)
        self._thread.start()
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, _ignored_here)
        return self._stop

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._writable)
        self._thread.join()  # after all signals that arrived are handled
        os.close(self._readable)

    def _listen(self) -> None:
        """Reads the number of each signal, one byte, until the pipe is closed."""
        while arrived := os.read(self._readable, 1):
            if arrived[0] in _SIGNALS:
                self._act_on(arrived[0])

    def _act_on(self, number: int) -> None:
        if self._stop.exit_code is not None:
            with suppress(OSError):
                os.write(1, self._result)
            os._exit(SIGNALLED + number)
        self._stop.set(SIGNALLED + number)
        with suppress(OSError):
            os.write(2, self._message)  # not sys.stderr, which the main thread may be writing to


def read_typed_line() -> str:
    """A line from stdin, after a prompt; from the main thread. A signal that arrives just before
    the read would otherwise only be handled after it: Ctrl-C would have to be typed again."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    before = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)

    def pass_on() -> bytes:
        arrived = os.read(readable, 64)
        if before >= 0 and arrived:  # `Interrupts` acts on them
            os.write(before, arrived)
        return arrived

    try:
        while readable in select.select([0, readable], [], [])[0]:
            pass_on()
    finally:
        signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        os.close(writable)
        while pass_on():
            pass
        os.close(readable)
    return sys.stdin.readline()


def write_whole(text: str) -> None:
    """Writes a text to stdout that must not be cut off: the first signal ends the program only
    after it, a second signal immediately. Opens no file, not even a pipe, so that created tasks are
    reported even if no file can be opened."""
    arrived: list[int] = []

    def act_on(number: int, _frame: FrameType | None) -> None:
        if arrived:
            os._exit(SIGNALLED + number)
        arrived.append(number)

    before = {number: signal.signal(number, act_on) for number in _SIGNALS}
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if arrived:
        raise SystemExit(SIGNALLED + arrived[0])


def _ignored_here(_number: int, _frame: FrameType | None) -> None:
    """Does nothing, because the thread reads the signal from the pipe. Without a handler, the
    signal would end the process."""
