"""A service and its network, with everything that may go wrong within the assumptions, or outside.

Whatever goes wrong is chosen by a `Chooser`, so one story can be random, repeated, or one of all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from tests.model.values import SETTLE, WINDOW, Listed, Message, Ref

STRANGER = "mallory"


@dataclass(frozen=True)
class Assumed:
    """The assumptions of docs/exactly-once.md. False: it does not hold in a story."""

    commits_in_time: bool = True
    lists_in_time: bool = True
    keeps_the_text: bool = True
    lists_lack_something_known: bool = True
    nothing_is_in_flight_at_a_loss: bool = True
    copies_take_turns: bool = True
    sees_the_tasks_after_a_loss: bool = True
    repeats_renames_and_assignments: bool = True
    pauses_are_short: bool = True
    answers_are_right: bool = True


class Chooser(Protocol):
    def fault(self, name: str, *options: str) -> str:
        """One of the options, or "" if nothing happens."""

    def pick(self, count: int) -> int:
        """A number below `count`; no fault."""


class RandomChooser:
    """`share`: how likely each fault is. `most`: how many there are at most."""

    def __init__(self, seed: int | str, share: float = 0.1, most: int = 1000) -> None:
        self._random, self._share, self._left = Random(seed), share, most
        self.log: list[str] = []

    def fault(self, name: str, *options: str) -> str:
        if self._left and self._random.random() < self._share:
            self._left -= 1
            chosen = options[int(self._random.random() * len(options))]
            self.log.append(f"{name}: {chosen}")
            return chosen
        return ""

    def pick(self, count: int) -> int:
        return int(self._random.random() * count)


@dataclass
class Task:
    """`job`: what it was created for; empty if nobody created it with taskctl. `request`: which
    request did; a repeated delivery has the same. `sent_at`: when the latter was sent."""

    id: str
    org: str
    login: str
    job: str
    request: int
    ref: Ref | None
    prompt: str
    sent_at: int
    commits_at: int
    listed_at: int
    read_at: int
    is_shared: bool = False
    is_failed: bool = False
    is_deleted: bool = False

    def exists(self, now: int) -> bool:
        return self.commits_at <= now and not self.is_deleted


@dataclass
class Service:
    """`text`: whether it keeps the last line of a prompt. `skew`: how far its clock is ahead."""

    chooser: Chooser
    assumed: Assumed
    text: str = "kept"
    skew: int = 0
    now: int = 100
    tasks: list[Task] = field(default_factory=list)
    requests: int = 0
    delayed_until: int = 0

    def create(
        self,
        login: str,
        org: str,
        ref: Ref | None,
        prompt: str,
        job: str,
        known: Sequence[str],
        *,
        paused: bool = False,
    ) -> tuple[str, str]:
        """The outcome for the process that sent it ("ok", "unknown" or "refused"), and the ID. A
        paused process sends later, within the window. `known`: the IDs of tasks that a cache may
        return instead."""
        self.requests += 1
        sent = self.now
        if paused:
            sent += WINDOW if self.assumed.pauses_are_short else WINDOW + 2 * SETTLE + 2
        faults = ("lost", "late", "never", "twice", "refused", "lost, twice", "another's response")
        fault = self.chooser.fault("the create", *faults)
        if fault == "refused" and not paused:
            return "refused", ""
        if fault == "another's response" and known:
            return "ok", known[self.chooser.pick(len(known))]
        if fault in ("never", "refused", "another's response"):
            return "unknown", ""
        delay = 0
        if fault == "late":
            delay = self._delay(in_time=self.assumed.commits_in_time)
        first = self._add(login, org, ref, prompt, job, sent, sent + delay)
        if "twice" in fault:
            self._add(login, org, ref, prompt, job, sent, sent + self.chooser.pick(SETTLE))
        if fault in ("lost", "late", "lost, twice") or paused:
            return "unknown", ""
        return "ok", first.id

    def _delay(self, *, in_time: bool) -> int:
        return 1 + self.chooser.pick(SETTLE - 1) if in_time else 3 * SETTLE

    def _add(
        self,
        login: str,
        org: str,
        ref: Ref | None,
        prompt: str,
        job: str,
        sent: int,
        commits: int,
    ) -> Task:
        listed = commits
        if self.chooser.fault("the list", "lags"):
            in_time = max(sent + SETTLE, commits)
            listed = in_time if self.assumed.lists_in_time else commits + 3 * SETTLE
        read = commits + (1 if self.chooser.fault("the message", "lags") else 0)
        shown = ref if self.text == "kept" else None
        task = Task(
            f"t{len(self.tasks):03}",
            org,
            login,
            job,
            self.requests,
            shown,
            prompt,
            sent,
            commits,
            listed,
            read,
        )
        self.tasks.append(task)
        return task

    def find(self, task_id: str) -> Task:
        return next(task for task in self.tasks if task.id == task_id)

    def of_job(self, job: str) -> list[Task]:
        return [task for task in self.tasks if task.job == job and task.exists(self.now)]

    def in_flight(self) -> bool:
        """Whether a create was sent within the settle time."""
        return any(task.sent_at + SETTLE >= self.now for task in self.tasks)

    # What users see

    def sees(self, login: str, task: Task) -> bool:
        return task.exists(self.now) and (task.is_shared or task.login == login)

    def list_tasks(self, login: str, org: str, checked: Collection[str]) -> tuple[Listed, ...]:
        """Newest first. A list that lies lacks at least one of the `checked` tasks, which the
        process knows and which are as new as what it reads."""
        shown = [
            task
            for task in self.tasks
            if task.org == org and self.sees(login, task) and task.listed_at <= self.now
        ]
        shown.sort(key=lambda task: (task.commits_at, task.id), reverse=True)
        if shown and self.chooser.fault("the list", "lies"):
            lie = self._lie(shown)
            known = {task.id for task in shown} - {task.id for task in lie}
            if known & set(checked) or not self.assumed.lists_lack_something_known:
                shown = lie
        return tuple(Listed(t.id, t.login, t.commits_at + self.skew) for t in shown)

    def _lie(self, shown: list[Task]) -> list[Task]:
        if self.chooser.pick(2):
            return shown[1 + self.chooser.pick(len(shown)) :]
        return [task for task in shown if self.chooser.pick(2)]

    def get(self, login: str, task_id: str) -> bool | None:
        """Whether the service shows a task; None if that could not be read."""
        if self.chooser.fault("the task", "cannot be read"):
            return None
        return self.sees(login, self.find(task_id))

    def message(self, task_id: str, *, young_is_none: bool = False) -> Message | None:
        """The first message; None if it could not be read."""
        task = self.find(task_id)
        if task.read_at > self.now:
            return Message(None, "") if young_is_none else None
        if self.chooser.fault("the message", "cannot be read"):
            return None
        return Message(task.ref, task.prompt)
