"""A create leaves within its window, whatever takes long before it."""

from __future__ import annotations

from reconciler.apply.report import Result
from reconciler.messages.remarks import word_remarks
from reconciler.state.attempt import SEND_WINDOW
from tests.support.apply_world import World
from tests.support.plan_values import desired

SLOW = SEND_WINDOW + 4


def notes(problems: tuple[object, ...]) -> str:
    return word_remarks(problems).note  # type: ignore[arg-type]


def test_a_check_of_the_lock_that_takes_long_closes_the_window() -> None:
    """A network file system that hangs: nothing is sent after the window."""
    world = World()
    begun: list[float] = []

    def hang() -> None:
        begun.append(world.passed)
        world.passed += SLOW

    world.session.check_lock = hang  # type: ignore[method-assign]
    done = world.run(*world.planned(desired("a")))
    assert world.calls.of("create") == []
    assert done["a"].result is Result.FAILED
    assert not world.session.state.attempts
    assert len(begun) == 1  # the storage alone needs longer than the window


def test_a_journal_that_takes_long_is_what_the_message_blames() -> None:
    """A git push with a slow hook; the connection to the service is fine."""
    world = World()

    def push() -> None:
        world.passed += SLOW

    world.session.slow = push
    done = world.run(*world.planned(desired("a")))
    assert world.calls.of("create") == []
    assert done["a"].result is Result.FAILED
    attempts = [event for events in world.calls.of("append") for event in events]
    assert sum(type(event).__name__ == "Attempted" for event in attempts) == 1
    said = notes(done["a"].problems)
    assert "state" in said, said
    assert "connection" not in said, said
