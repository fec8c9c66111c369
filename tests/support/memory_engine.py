"""A state engine in memory with simulated time, which passes only when something waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from reconciler.state.engines import BlobRoom, Engine, Missing, Moved, Pace, Unsure, Version
from reconciler.state.model import State
from reconciler.state.shared import SharedState


@dataclass
class Clock:
    """A `model.clock.Clock`. The calls in `at` are made once that many seconds have passed."""

    passed: float = 0.0
    boot_id: str = "boot-1"
    at: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC) + timedelta(seconds=self.passed)

    def boot(self) -> float:
        return 1000 + self.passed

    def wait(self, seconds: float) -> None:
        self.passed += seconds
        due = [call for when, call in self.at if when <= self.passed]
        self.at = [(when, call) for when, call in self.at if when > self.passed]
        for call in due:
            call()


@dataclass
class MemoryEngine:
    """`faults` names what befalls the next swaps, one after another: `lost` (it is done, and the
    answer is lost), `cut` (it is not done), or nothing. `asked` are all calls, `swapped` the bytes
    of all swaps. `on_read` is called before each read.
    """

    clock: Clock = field(default_factory=Clock)
    pace: Pace = field(default_factory=Pace)
    display_name: str = "memory:state"
    deletes_with_swap: bool = False
    about: str = ""
    head: bytes | None = None
    version: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    swapped: list[bytes] = field(default_factory=list)
    on_read: Callable[[], object] = lambda: None
    on_probe: Callable[[], object] = lambda: None
    guard: threading.RLock = field(default_factory=threading.RLock)

    def read(self) -> tuple[bytes, Version] | None:
        self.asked.append("read")
        self.on_read()
        with self.guard:
            return None if self.head is None else (self.head, Version(str(self.version)))

    def swap(self, data: bytes, over: Version | None) -> Version:
        self.asked.append("swap")
        self.swapped.append(data)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "cut":
            raise Unsure("it was cut off")
        with self.guard:
            if over != (None if self.head is None else str(self.version)):
                raise Moved("the head was replaced")
            self.head, self.version = data, self.version + 1
            if fault == "lost":
                raise Unsure("the answer was lost")
            return Version(str(self.version))

    def put_blob(self, name: str, data: bytes) -> None:
        self.asked.append("put_blob")
        assert self.blobs.setdefault(name, data) == data

    def get_blob(self, name: str, room: BlobRoom) -> bytes:
        self.asked.append("get_blob")
        if name not in self.blobs:
            raise Missing(name)
        room.take(name, len(self.blobs[name]))
        return self.blobs[name]

    def delete_blobs(self, names: Sequence[str]) -> None:
        self.asked.append("delete_blobs")
        for name in names:
            self.blobs.pop(name, None)

    def probe(self) -> None:
        self.on_probe()

    def others(self) -> Sequence[str]:
        """Names are not listed."""
        return ()

    def prepare(self) -> None:
        pass

    def close(self) -> None:
        pass

    def place(self) -> SharedState:
        """The shared state in this engine, as another process would open it."""
        engine: Engine = self
        return SharedState(engine, self.clock, wait=self.clock.wait)


def saved_in(engine: MemoryEngine) -> State:
    """The state that a reader finds in an engine."""
    return engine.place().read(BACKEND)


BACKEND = "https://api.example.com"
