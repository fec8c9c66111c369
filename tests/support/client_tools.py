"""Clients with short timeouts, and a clock that only advances in sleeps."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.codes import Code
from reconciler.model.diagnostics import TaskctlError
from reconciler.remote.client import Client
from reconciler.remote.exchange import Timeouts
from reconciler.remote.retries import RetryPolicy
from reconciler.remote.transport import Transport

TOKEN = "pul-0123456789abcdef-the-token"
PATIENT = Timeouts(connect=300, read=300, create=300, whole=300)
QUICK = Timeouts(connect=0.5, read=1.0, create=0.4, whole=300)
"""For tests of timeouts."""


class Window:
    """A send window that is open for the first `times` checks."""

    def __init__(self, times: float = float("inf")) -> None:
        self.left = times

    def is_open(self) -> bool:
        self.left -= 1
        return self.left >= 0


OPEN = Window()


class FakeTime:
    """A monotonic clock whose sleeps are recorded and return immediately."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def make_client(url: str, time: FakeTime | None = None, **settings: Any) -> Client:
    """A client whose retries use the longest possible wait."""
    time = time or FakeTime()
    defaults: dict[str, Any] = {
        "timeouts": PATIENT,
        "policy": RetryPolicy(tries=4, base=1.0, cap=10.0, total=60.0),
        "sleep": time.sleep,
        "clock": time.clock,
        "spread": lambda low, high: high,
    }
    of_client = {
        name: settings.pop(name) for name in ("page_size", "wall_clock") if name in settings
    }
    return Client(Transport(url, TOKEN, **{**defaults, **settings}), **of_client)


def create_body(text: str = "Do it.") -> dict[str, Any]:
    timestamp = "2026-11-24T14:44:49.123Z"
    return {"message": {"content": text, "type": "user_message", "timestamp": timestamp}}


def cause(caught: pytest.ExceptionInfo[TaskctlError]) -> tuple[Code, str]:
    """The code and the case of the only diagnostic of an error."""
    (problem,) = caught.value.diagnostics
    return problem.code, problem.case
