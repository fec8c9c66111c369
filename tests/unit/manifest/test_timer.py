"""The limit of CPU time: it ends any work, and nothing of it is left afterwards."""

from __future__ import annotations

import dis
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from types import FrameType
from typing import Any

import pytest

from reconciler.manifest.policy import Timer
from reconciler.model.remarks import RemarkError

NOTHING = dis.opmap["NOP"]
"""Python handles signals after calls and jumps, never here."""


@pytest.fixture(autouse=True)
def left() -> Iterator[None]:
    """Nothing is left after each test."""
    yield
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)
    assert signal.getsignal(signal.SIGVTALRM) == signal.SIG_DFL


def burn(seconds: float) -> str:
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(100))  # the timer counts the time in user mode only
    return "done"


def forever() -> None:
    while True:
        pass


def test_work_is_ended_and_a_used_up_timer_starts_none() -> None:
    timer = Timer(0.01)
    with pytest.raises(RemarkError):
        timer.run(forever)
    with pytest.raises(RemarkError):
        timer.run(lambda: pytest.fail("no time is left"))


def test_all_runs_share_the_time() -> None:
    timer, runs = Timer(0.3), count()
    each = (timer.run(lambda: burn(0.02)) for _ in runs)
    with pytest.raises(RemarkError):
        list(each)
    assert next(runs) < 100


def test_an_error_that_something_swallows_is_raised_again() -> None:
    def stubborn() -> None:
        for _ in range(3):
            with suppress(RemarkError):
                forever()
        forever()

    with pytest.raises(RemarkError):
        Timer(0.01).run(stubborn)


def test_it_never_ends_what_comes_later() -> None:
    assert Timer(0.05).run(lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        Timer(0.05).run(lambda: 1 / 0)
    with pytest.raises(RemarkError):
        Timer(0.05).run(forever)
    burn(0.3)


def test_one_in_another_leaves_the_outer_limit() -> None:
    def nested() -> None:
        assert Timer(10).run(lambda: "inner") == "inner"
        forever()

    with pytest.raises(RemarkError):
        Timer(0.05).run(nested)


def test_without_a_timer_the_work_is_done_unlimited() -> None:
    """Signals are for the main thread only."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(Timer(0.01).run(lambda: burn(0.2))))
    thread.start()
    thread.join()
    assert said == ["done"]


def test_a_signal_at_any_point_leaves_no_timer() -> None:
    """The handler is called before each instruction in turn."""
    ends = [ended_at(number) for number in range(1, 2000)]
    assert ends.index("never") > 50
    assert set(ends[: ends.index("never")]) == {"time", "done"}
    assert set(ends[ends.index("never") :]) == {"never"}


def ended_at(number: int) -> str:
    """How a run ends whose handler is called before this instruction of it; `never` if there are
    fewer."""
    left = number

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code is not Timer.run.__code__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_code.co_code[frame.f_lasti] != NOTHING:
            left -= 1
            handler = signal.getsignal(signal.SIGVTALRM)
            if left == 0 and callable(handler):
                handler(signal.SIGVTALRM, frame)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Timer(10).run(lambda: None)
        ended = "done" if left <= 0 else "never"
    except RemarkError:
        ended = "time"
    finally:
        sys.settrace(before)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0), number
    assert signal.getsignal(signal.SIGVTALRM) == signal.SIG_DFL, number
    return ended
