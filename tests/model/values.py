"""The values of the model: what a state remembers, what is read of a service, and what is decided.

Times are whole ticks. IDs of tasks, states, users and organizations are short strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

SETTLE, WINDOW, DAY = 4, 1, 12
KEPT = 3
"""The number of IDs that a baseline keeps."""
CHUNK = 4
"""The number of first messages after which a baseline may advance."""


class Key(NamedTuple):
    org: str
    name: str


class Ref(NamedTuple):
    """A reference. It does not name the organization."""

    name: str
    number: int
    state: str


class Message(NamedTuple):
    """The first message of a task, if it could be read. `ref`: None without a reference."""

    ref: Ref | None
    prompt: str


class Listed(NamedTuple):
    """A task of a list; `created` is by the service's clock."""

    id: str
    login: str
    created: int


@dataclass(frozen=True)
class Record:
    """`number` orders the tasks of a key among those that this state sent or a person named; 0 if a
    continued state sent it. `sent`: this state has sent it, or continued it. `spent`: references of
    the key's closed attempts and earlier tasks."""

    task: str
    number: int
    ref: Ref | None
    login: str
    created: int
    prompt: str
    sent: bool = True
    spent: frozenset[Ref] = frozenset()


@dataclass(frozen=True)
class Former:
    """A task of a key that has no record any more: replaced, removed, forgotten, or history."""

    key: Key
    refs: frozenset[Ref]
    login: str
    sent: bool


@dataclass(frozen=True)
class Attempt:
    """`waited`: the journaled ticks. `run`: the process that sent it, and `started` is the time by
    the clock of its machine."""

    key: Key
    ref: Ref
    login: str
    prompt: str
    run: int
    started: int
    waited: int = 0


@dataclass(frozen=True)
class State:
    """`ids`: its own, then those that it continues. `baselines`: newest first."""

    ids: tuple[str, ...]
    began: int
    counter: int = 0
    is_new: bool = False
    answered: frozenset[str] = frozenset()
    explained: frozenset[str] = frozenset()
    is_kept: bool = False
    records: Mapping[Key, Record] = field(default_factory=dict)
    former: Mapping[str, Former] = field(default_factory=dict)
    dismissed: frozenset[str] = frozenset()
    attempts: Mapping[int, Attempt] = field(default_factory=dict)
    closed: Mapping[Ref, Key] = field(default_factory=dict)
    baselines: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def is_ours(self, ref: Ref | None) -> bool:
        return ref is not None and ref.state in self.ids

    def recorded(self) -> dict[str, Key]:
        return {record.task: key for key, record in self.records.items()}

    def knows(self) -> set[str]:
        """The tasks that are explained without being read."""
        return {*self.recorded(), *self.former, *self.dismissed}

    def users(self) -> set[str]:
        found = {login for _, login in self.baselines}
        found |= {attempt.login for attempt in self.attempts.values()}
        found |= {record.login for record in self.records.values() if record.sent}
        return found | {each.login for each in self.former.values() if each.sent}


@dataclass(frozen=True)
class Facts:
    """What one identity read of an organization.

    `listed`: newest first, down to where reading stopped. `messages`: of the listed tasks that the
    state does not know; None: it could not be read. `lacking`: of the known tasks that the list
    lacks, whether the service shows them by ID (None: it could not be read). `ages`: the ticks that
    each open attempt has been waited for, as far as the process knows, and the ticks needed.
    """

    org: str
    user: str
    now: int
    listed: tuple[Listed, ...]
    messages: Mapping[str, Message | None]
    lacking: Mapping[str, bool | None]
    ages: Mapping[int, tuple[int, int]]
    continues: bool = False


def is_settled(task: Listed, facts: Facts) -> bool:
    """Whether the task is older than the settle time."""
    return task.created + SETTLE <= facts.now


@dataclass(frozen=True)
class Decision:
    """What explaining an organization changes, and why nothing is created in it.

    `records` and `former` are those that changed. `closed`: attempts that created no task. `open`:
    why others are open. `baseline`: None if it stays.
    """

    records: Mapping[Key, Record]
    former: Mapping[str, Former]
    duplicates: frozenset[str]
    found: frozenset[int]
    closed: frozenset[int]
    open: Mapping[int, str]
    blocks: frozenset[str]
    question: frozenset[str]
    proves: bool
    baseline: tuple[str, ...] | None
    counter: int
    is_kept: bool

    @property
    def is_free(self) -> bool:
        """Whether tasks may be created in the organization."""
        return self.proves and not self.blocks and not self.question
