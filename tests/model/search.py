"""Breadth-first search of all states that are reachable from some initial ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Explored(Generic[S]):
    """`states` is their number. `violation`: what is wrong in the last state of `trace`, a shortest
    sequence of steps to it; None if every state was explored and nothing is wrong."""

    states: int
    violation: str | None = None
    trace: tuple[tuple[str, S], ...] = ()

    def __str__(self) -> str:
        steps = "".join(f"\n  {number}. {name}" for number, (name, _) in enumerate(self.trace, 1))
        return f"{self.states} states: {self.violation or 'nothing is wrong'}{steps}"


def explore(
    initial: Iterable[S],
    successors: Callable[[S], Iterable[tuple[str, S]]],
    violation: Callable[[S], str | None],
    most: int | None = None,
) -> Explored[S]:
    """Stops at the first violation. `most`: raises OverflowError if there are more states."""
    came_from: dict[S, tuple[str, S] | None] = dict.fromkeys(initial)
    left = deque(came_from)
    while left:
        state = left.popleft()
        wrong = violation(state)
        if wrong is not None:
            return Explored(len(came_from), wrong, tuple(_trace(state, came_from))[::-1])
        for name, after in successors(state):
            if after not in came_from:
                came_from[after] = (name, state)
                left.append(after)
        if most is not None and len(came_from) > most:
            raise OverflowError(f"more than {most} states")
    return Explored(len(came_from))


def _trace(state: S, came_from: dict[S, tuple[str, S] | None]) -> Iterator[tuple[str, S]]:
    while (step := came_from[state]) is not None:
        yield step[0], state
        state = step[1]
