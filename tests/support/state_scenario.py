"""A run that uses a state as an apply does, for tests that kill it or simulate power loss.

It prints each entry that was confirmed to it, one line each, as a user would have seen it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from reconciler.model.diagnostics import StateError
from reconciler.model.task import TaskRef
from reconciler.state.attempt import Attempt
from reconciler.state.ledger import fold
from reconciler.state.local import LocalState
from reconciler.state.location import Claim
from reconciler.state.model import Attempted, Event, Record, Recorded, State
from reconciler.state.session import Session
from tests.support.state_samples import BACKEND, attempt, record

Prepare = Callable[[Path], None]


def open_at(path: Path) -> Session:
    return Session.open(LocalState(path), Claim(BACKEND, "a test"))


def steps() -> list[list[Event]]:
    """Three creates: the state is saved before the second, and the third has no outcome."""
    return [
        [Attempted(attempt(0))],
        [Recorded(record(0))],
        [Attempted(attempt(1)), Attempted(attempt(2))],
        [Recorded(record(1))],
    ]


def work(path: Path, confirmed: Callable[[str], None]) -> None:
    """Appends `steps`, saves once in between, and closes."""
    with open_at(path) as session:
        for number, events in enumerate(steps()):
            session.append(*events)
            confirmed(f"step {number}")
            if number == 1:
                session.save()
                confirmed("saved")
    confirmed("closed")


def run(folder: str) -> None:
    """The entry point for `tests.support.crash_points`."""
    work(Path(folder) / "state.json", lambda word: print(word, flush=True))


def run_small_disk(folder: str, room: str) -> None:
    """The same on a disk where no file may grow beyond `room` bytes; failures are printed and
    skipped."""
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(room), int(room)))
    try:
        work(Path(folder) / "state.json", lambda word: print(word, flush=True))
    except StateError as problem:
        print(f"refused {problem}", flush=True)
        sys.exit(1)


def fresh(path: Path) -> None:
    """No state exists."""


def known(path: Path) -> None:
    """A state with one task, and its backup."""
    for number in (8, 9):
        with open_at(path) as session:
            session.append(Recorded(record(number)))


def torn(path: Path) -> None:
    """A state and a journal whose last entry is truncated."""
    known(path)
    with open_at(path) as session:
        session.append(Attempted(attempt(7)))
        session.append(Attempted(attempt(7)))
        left = path.with_name("state.json.journal").read_bytes()
        before = path.read_bytes()
    path.write_bytes(before)
    path.with_name("state.json.journal").write_bytes(left[:-10])


def lost(path: Path) -> None:
    """A journal whose state is missing."""
    torn(path)
    path.unlink()


def replaced(path: Path) -> None:
    """A journal whose state was replaced by another version of it."""
    known(path)
    with open_at(path) as session:
        session.append(Attempted(attempt(6)), Attempted(attempt(7)), Recorded(record(7)))
        path.write_bytes(path.read_bytes() + b" ")
        with suppress(StateError):
            session.close()


PREPARED: dict[str, Prepare] = {
    "fresh": fresh,
    "known": known,
    "torn": torn,
    "lost": lost,
    "replaced": replaced,
}


def check(before: State, after: State, confirmed: set[str]) -> None:
    """Asserts that no durable entry is missing, and that there is no other entry."""
    done = [f"step {number}" in confirmed for number in range(len(steps()))]
    least = sum(done)
    assert done == [True] * least + [False] * (len(done) - least)
    possible = list(_possible(before, least))
    assert (after.records, after.attempts) in possible
    if before.serial:
        assert after.lineage == before.lineage


def _possible(
    before: State, least: int
) -> Iterator[tuple[dict[TaskRef, Record], dict[int, Attempt]]]:
    """The possible contents: everything confirmed, then one more event after another."""
    flat = [event for events in steps()[:least] for event in events]
    on_its_way = steps()[least] if least < len(steps()) else []
    for extra in range(len(on_its_way) + 1):
        state = fold(before, flat + on_its_way[:extra])
        yield dict(state.records), dict(state.attempts)


MADE = ("id-0", "id-1")
