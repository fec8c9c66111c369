"""Rate limits: creates pause, one create probes, and the rate recovers slowly."""

from __future__ import annotations

import threading

from reconciler.apply.throttle import MAX_HOLD, Throttle


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.stopped = False

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return not self.stopped


def entered(throttle: Throttle) -> int:
    slot = throttle.enter()
    assert slot is not None
    return slot


def free_slots(throttle: Throttle, most: int) -> int:
    """How many creates can start at once."""
    count = 0
    while count < most:
        done = threading.Event()

        def enter(done: threading.Event = done) -> None:
            throttle.enter()
            done.set()

        threading.Thread(target=enter, daemon=True).start()
        if not done.wait(0.2):
            break
        count += 1
    return count


def test_after_a_rate_limit_one_create_probes_then_half_the_slots_open() -> None:
    time = Time()
    throttle = Throttle(8, lambda: time.now, time.wait)
    slots = [entered(throttle) for _ in range(8)]
    for slot in slots:
        throttle.limited(slot, 30.0)  # all of them: one limit
        throttle.leave()
    probe = entered(throttle)
    assert time.now >= 30.0
    assert free_slots(throttle, 8) == 0
    throttle.succeeded(probe)
    throttle.leave()
    assert throttle.slots == 4
    throttle.succeeded(probe)
    assert throttle.slots == 5


def test_a_success_from_before_the_limit_does_not_end_the_pause() -> None:
    time = Time()
    throttle = Throttle(4, lambda: time.now, time.wait)
    before, limited = entered(throttle), entered(throttle)
    throttle.limited(limited, 10.0)
    throttle.succeeded(before)
    assert throttle.slots == 1


def test_without_retry_after_pauses_grow_up_to_a_limit() -> None:
    time = Time()
    holds: list[float] = []
    throttle = Throttle(4, lambda: time.now, time.wait, holds.append)
    while (slot := throttle.enter()) is not None:
        throttle.limited(slot, None)
        throttle.leave()
    assert holds[:4] == [1.0, 2.0, 4.0, 8.0]
    assert throttle.is_exhausted
    assert time.now <= MAX_HOLD


def test_a_longer_current_pause_is_kept() -> None:
    time = Time()
    throttle = Throttle(1, lambda: time.now, time.wait)
    throttle.pause(20.0)
    throttle.pause(1.0)
    entered(throttle)
    assert time.now >= 20.0


def test_no_worker_starts_after_a_stop() -> None:
    time = Time()
    throttle = Throttle(1, lambda: time.now, time.wait)
    time.stopped = True
    assert throttle.enter() is None
    time.stopped = False
    assert throttle.enter() is not None  # the slot was given back
