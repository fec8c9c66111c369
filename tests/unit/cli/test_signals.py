"""A signal comes at any moment, in the middle of a wait too."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

from reconciler.cli.signals import Interrupts


def test_a_signal_within_a_wait_ends_it() -> None:
    """As the wait begins, while it holds a lock of its own."""

    def begun(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code is threading.Condition.wait.__code__:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)

    with Interrupts("") as interrupts:
        sys.setprofile(begun)
        try:
            assert not interrupts.wait(60)
        finally:
            sys.setprofile(None)
        assert interrupts.exit_code == 130
        assert not interrupts.wait(60)
