"""One state of everything that an exploration models, as a value: the state storage, the service,
the network, and the processes that run apply.

`tests/model/steps.py` has what can happen next. Whatever taskctl decides is decided by its own
functions (`tests/model/taskctl.py`). Time is counted in ticks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

OTHER = "other"
"""The owner of a task that another repository of the same user has created."""

OLD = "old"
"""The owner of a task that has always existed, and does other work."""

LISTED, GONE = -1, -2
"""The ages of a task that the list shows, and of one that the service no longer has."""

ME, SOMEONE = "me", "someone"


class Declared(NamedTuple):
    """A task of a manifest. `job`: what must have one task, whatever its key is called."""

    key: str
    job: str
    prompt: str
    moved_from: str = ""


NOTHING = Declared("", "", "")

Manifests = tuple[Declared, ...]


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
    adopts_after_a_loss: bool = True
    applies_as_the_same_user_after_a_loss: bool = True
    people_answer_correctly: bool = True
    people_rename_as_documented: bool = True


@dataclass(frozen=True, eq=False)
class Setting:
    """What an exploration covers.

    `keys` have the same prompt, unless `prompts_differ`. `edits`: instead of these, the
    manifests, and what people make of them, in this order. `attempts`: how often each job may
    be tried. `users`: who may run apply. `shared`: all of them see each other's tasks.
    `existing`: how many other tasks there are before. `lacks`: a list may lack the newest or
    the oldest tasks, at least one of which is known. `marks`: what the service does to them.
    `twice`: it may commit a create twice. `twin`: another repository of the same user may
    create a task with the same prompt. `is_lost`: a state that had the tasks of the first
    manifests is lost. `loses`: the state may be lost; `restores`: it may be set back to an
    older version; `replaces`: how often a copy of the saved state may replace it under a run;
    `removes`: a record may be removed with `state rm`. `accepts`: `state accept` may be run.
    `deletes`: the service may lose a recorded task. `adopts`: an apply may have `--adopt`, also
    if no state was lost. `people`: someone may resolve the keys that are unresolved.
    `processes`: how many are alive at once: the one that has the lock, and those that were
    taken over and do not know it yet. `settle` and `window` are in ticks.
    """

    keys: tuple[str, ...] = ("a",)
    prompts_differ: bool = False
    edits: tuple[Manifests, ...] = ()
    users: tuple[str, ...] = (ME,)
    shared: bool = False
    existing: int = 0
    lacks: bool = False
    marks: Literal["kept", "cut off", "replaced"] = "kept"
    twice: bool = False
    twin: bool = False
    is_lost: bool = False
    loses: bool = False
    restores: bool = False
    replaces: int = 0
    removes: bool = False
    accepts: bool = False
    deletes: bool = False
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

    @cached_property
    def manifests(self) -> tuple[Manifests, ...]:
        """All versions of the manifests, in order."""
        prompts = (f"do {key}" if self.prompts_differ else "do it" for key in self.keys)
        return self.edits or (
            tuple(Declared(k, k, p) for k, p in zip(self.keys, prompts, strict=True)),
        )

    @cached_property
    def jobs(self) -> Mapping[str, frozenset[str]]:
        """The jobs that each key has ever had."""
        every = [task for manifests in self.manifests for task in manifests]
        return {t.key: frozenset(o.job for o in every if o.key == t.key) for t in every}

    def most(self, job: str) -> int:
        """How often a job may be tried."""
        jobs = dict.fromkeys(task.job for manifests in self.manifests for task in manifests)
        return self.attempts[list(jobs).index(job)]


class Task(NamedTuple):
    """A task at the service. `owner`: the job whose request created it, or OTHER or OLD. `age`: the
    ticks since that request was sent, or LISTED or GONE. `maker` is who created it."""

    id: str
    owner: str
    mark: str
    age: int = LISTED
    prompt: str = "do it"
    maker: str = ME


class Request(NamedTuple):
    """A create request that was sent, and neither committed nor lost yet. `age` is in ticks."""

    mark: str
    age: int = 0
    prompt: str = ""
    maker: str = ME


class Item(NamedTuple):
    """Something that a plan makes apply do: `close` an attempt, `adopt` or `move` a task, `create`
    one, `note` which keys of a lost state are recovered. The prompt of a `task` that is in no
    manifest is not known."""

    action: str
    task: Declared = NOTHING
    mark: str = ""
    task_id: str = ""


class Process(NamedTuple):
    """A process that runs apply.

    `step`: it `reads`, then `does` the items of `todo`; an attempt is `journaled`, then `sent`.
    `who` runs it. `scope`: the tasks of its manifests. `only`: the keys that it looks at again,
    after its first plan. `locked`: it has the lock, as far as the storage knows. `waited`: the
    ticks for which it and others have waited for the outcomes of others' attempts, by mark;
    `ended`: those since the exchanges of its own attempts ended. `since`: those since it
    journaled the attempt `mark` to create `task`. `listed`: the IDs that it listed first;
    `compares`: the list was read for look-alikes. `recovers`: it ends the recovery of a lost
    state. `created`: the marks of its attempts that have created a task. `missed`: the keys
    that are unresolved. `adopt`: it has `--adopt`. `taken`: the version of the state that it
    took.
    """

    step: str
    scope: Manifests = ()
    only: tuple[str, ...] = ()
    locked: bool = True
    waited: tuple[tuple[str, float], ...] = ()
    ended: tuple[tuple[str, float], ...] = ()
    listed: tuple[str, ...] = ()
    todo: tuple[Item, ...] = ()
    mark: str = ""
    task: Declared = NOTHING
    since: int = 0
    created: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    adopt: bool = False
    taken: int = 0
    who: str = ME
    compares: bool = False
    recovers: bool = False


class World(NamedTuple):
    """`state` and `backup` are numbers of stored states (`taskctl.state_of`). `lost`: the state was
    lost or set back, and no apply has completed since. `wrong`: what a step found to be wrong.
    `edit` is the number of the current manifests, `applied` that of the last ones of which an apply
    has succeeded.

    If the state may be replaced under a run, `saved` is the number of the saved state, and
    `journal` that of the events since; `state` has both. `version` counts the replacements.
    """

    state: int
    tasks: tuple[Task, ...] = ()
    requests: tuple[Request, ...] = ()
    processes: tuple[Process, ...] = ()
    backup: int = -1
    lost: bool = False
    wrong: str = ""
    saved: int = 0
    journal: int = 0
    version: int = 0
    edit: int = 0
    applied: int = 0
