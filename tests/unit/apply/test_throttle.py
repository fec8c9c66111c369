"""Unknown outcomes: creates pause, one create probes, and the rate recovers slowly."""

from __future__ import annotations

import threading

from reconciler.apply.throttle import MAX_OUTAGE, Throttle
from reconciler.model.remarks import Arg


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


def test_after_an_unknown_outcome_one_create_probes_then_half_the_slots_open() -> None:
    time = Time()
    throttle = Throttle(8, lambda: time.now, time.wait)
    slots = [entered(throttle) for _ in range(8)]
    for slot in slots:
        throttle.unknown(slot, 30.0, "503")  # all of them: one failure
        throttle.leave()
    probe = entered(throttle)
    assert time.now >= 30.0
    assert free_slots(throttle, 8) == 0
    throttle.known(probe)
    throttle.leave()
    assert throttle.slots == 4
    throttle.known(probe)
    assert throttle.slots == 5


def test_there_are_never_more_slots_than_at_first() -> None:
    time = Time()
    throttle = Throttle(1, lambda: time.now, time.wait)
    throttle.unknown(entered(throttle), None, "503")
    throttle.leave()
    throttle.known(entered(throttle))
    assert throttle.slots == 1


def test_an_outcome_from_before_the_failure_does_not_end_the_pause() -> None:
    time = Time()
    throttle = Throttle(4, lambda: time.now, time.wait)
    before, failed = entered(throttle), entered(throttle)
    throttle.unknown(failed, 10.0, "503")
    throttle.known(before)
    assert throttle.slots == 1


def outage(throttle: Throttle, time: Time, retry_after: float | None) -> list[float]:
    """The times of all creates of an outage."""
    sent = []
    while (slot := throttle.enter()) is not None:
        sent.append(time.now)
        throttle.unknown(slot, retry_after, "503")
        throttle.leave()
    return sent


def test_without_retry_after_pauses_grow_up_to_a_limit() -> None:
    time = Time()
    holds: list[tuple[float, Arg]] = []
    throttle = Throttle(4, lambda: time.now, time.wait, lambda *hold: holds.append(hold))
    sent = outage(throttle, time, None)
    assert sent == [0, 1, 3, 7, 15, 31, 63, 127, 191, 255]
    assert holds[:3] == [(2.0, "503"), (4.0, "503"), (8.0, "503")]  # not that of a second
    assert throttle.is_outage
    assert time.now <= MAX_OUTAGE


def test_an_outage_begins_with_the_first_unknown_outcome_since_a_known_one() -> None:
    time = Time()
    throttle = Throttle(1, lambda: time.now, time.wait)
    for _ in range(10):
        throttle.unknown(entered(throttle), 200.0, "503")
        throttle.leave()
        throttle.known(entered(throttle))
        throttle.leave()
    assert time.now == 2000
    assert outage(throttle, time, 40.0) == [2000 + n for n in (0, 40, 80, 120, 160, 200, 240)]


def test_time_alone_makes_no_outage_of_one_unknown_outcome() -> None:
    time = Time()
    throttle = Throttle(4, lambda: time.now, time.wait)
    throttle.unknown(entered(throttle), None, "503")
    throttle.leave()
    time.now = 2 * MAX_OUTAGE
    throttle.unknown(entered(throttle), None, "503")
    assert throttle.is_outage


def test_no_create_waits_for_the_end_of_a_pause_that_outlasts_the_outage() -> None:
    time = Time()
    throttle = Throttle(1, lambda: time.now, time.wait)
    assert outage(throttle, time, MAX_OUTAGE) == [0]
    assert (time.now, throttle.why) == (0, "503")


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
