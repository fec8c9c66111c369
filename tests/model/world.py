"""One state of everything that an exploration models, as a value: the state storage, the service,
the network, and the processes that run apply.

`tests/model/steps.py` has what can happen next. Whatever taskctl decides is decided by its own
functions (`tests/model/taskctl.py`). Time is counted in ticks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

OTHER = "other"
"""The owner of a task that another repository of the same user has created."""

LISTED = -1
"""The age of a task that the list shows."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """The assumptions and concessions of docs/contributing/exactly-once.md, in its order.

    With all of them, no key gets a second task or somebody else's. Without any single one, a key
    can: so the table is sufficient, and each of its rows is necessary.
    """

    commits_in_time: bool = True
    lists_in_time: bool = True
    shows_mark_or_text: bool = True
    refuses_truthfully: bool = True
    answers_with_no_other_new_task: bool = True
    repeats_no_very_old_task: bool = True
    delivers_duplicates_in_time: bool = True
    marks_are_unique: bool = True
    sends_in_time: bool = True
    writes_conditionally: bool = True
    keeps_what_it_acknowledged: bool = True
    no_create_is_in_flight_at_a_loss: bool = True
    applies_all_manifests_after_a_loss: bool = True
    keeps_the_login_after_a_loss: bool = True
    people_answer_correctly: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """What an exploration covers.

    `keys` have the same prompt, unless `prompts_differ`. `attempts`: how often each may be tried.
    `marks`: what the service does to them. `twice`: it may commit a create twice. `twin`: another
    repository of the same user may create a task with the same prompt. `loses`: the state may be
    lost; `restores`: it may be set back to an older version; `replaces`: how often a copy of the
    saved state may replace it under a run; `removes`: a record may be removed with `state rm`.
    `adopts`: an apply may have `--adopt`, also if no state was lost. `people`: someone may resolve
    the keys that are unresolved. `processes`: how many are alive at once: the one that has the
    lock, and those that were taken over and do not know it yet. `settle` and `window` are in ticks.
    """

    keys: tuple[str, ...] = ("a",)
    prompts_differ: bool = False
    marks: Literal["kept", "cut off", "replaced"] = "kept"
    twice: bool = False
    twin: bool = False
    loses: bool = False
    restores: bool = False
    replaces: int = 0
    removes: bool = False
    adopts: bool = False
    people: bool = False
    attempts: tuple[int, ...] = (2, 2)
    processes: int = 2
    settle: int = 1
    window: int = 2
    assumed: Assumed = field(default_factory=Assumed)

    @property
    def span(self) -> int:
        """The age of an attempt of another process."""
        return self.settle + self.window


class Task(NamedTuple):
    """A task at the service. `owner`: the key whose request created it, or OTHER. `age`: the ticks
    since that request was sent, or LISTED."""

    id: str
    owner: str
    mark: str
    age: int = LISTED


class Request(NamedTuple):
    """A create request that was sent, and neither committed nor lost yet. `age` is in ticks."""

    key: str
    mark: str
    age: int = 0


class Item(NamedTuple):
    """Something that a plan makes apply do: `close` an attempt, `adopt` a task, `create`
    one."""

    action: str
    key: str
    mark: str = ""
    task_id: str = ""


class Process(NamedTuple):
    """A process that runs apply.

    `step`: it `reads`, then `does` the items of `todo`; an attempt is `journaled`, then `sent`.
    `only`: the keys that it looks at again, after its first plan. `locked`: it has the lock, as far
    as the storage knows. `waited`: the ticks for which it and others have waited for the outcomes
    of others' attempts, by mark; `ended`: those since the exchanges of its own attempts ended.
    `since`: those since it journaled the attempt `mark`. `listed`: the IDs that it listed first.
    `created`: the marks of its attempts that have created a task. `missed`: the keys that are
    unresolved. `adopt`: it has `--adopt`. `taken`: the version of the state that it took.
    """

    step: str
    scope: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    locked: bool = True
    waited: tuple[tuple[str, float], ...] = ()
    ended: tuple[tuple[str, float], ...] = ()
    listed: tuple[str, ...] = ()
    todo: tuple[Item, ...] = ()
    mark: str = ""
    since: int = 0
    created: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    adopt: bool = False
    taken: int = 0


class World(NamedTuple):
    """`state` and `backup` are numbers of stored states (`taskctl.state_of`). `lost`: the state was
    lost or set back, and no apply has completed since. `renamed`: the user's login has changed.
    `wrong`: what a step found to be wrong.

    If the state may be replaced under a run, `saved` is the number of the saved state, and
    `journal` that of the events since; `state` has both. `version` counts the replacements.
    """

    state: int
    tasks: tuple[Task, ...] = ()
    requests: tuple[Request, ...] = ()
    processes: tuple[Process, ...] = ()
    backup: int = -1
    lost: bool = False
    renamed: bool = False
    wrong: str = ""
    saved: int = 0
    journal: int = 0
    version: int = 0
