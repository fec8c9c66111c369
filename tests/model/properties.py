"""What must never be true of a world, and what an apply must make of any world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from tests.model import taskctl
from tests.model.people import may_apply_plainly
from tests.model.steps import Steps
from tests.model.world import OLD, OTHER, Process, Setting, Task, World


def violation(setting: Setting) -> Callable[[World], str | None]:
    """The problems of a world."""
    return lambda world: world.wrong or _violation(world.state, world.tasks, setting)


@cache
def _violation(state: int, tasks: tuple[Task, ...], setting: Setting) -> str | None:
    marks: dict[str, set[str]] = {}
    for task in tasks:
        marks.setdefault(task.owner, set()).add(task.mark)
    for owner, attempts in marks.items():
        if owner not in (OTHER, OLD) and len(attempts) > 1:
            return f"{owner} has two tasks"
    owners = {task.id: task.owner for task in tasks}
    for ref, record in taskctl.state_of(state).records.items():
        if owners[record.task_id] not in setting.jobs[ref.key]:
            return f"{ref.key} has the task of {owners[record.task_id]}"
    return None


ORDER = (
    "gets an ID",
    "gets no response",
    "commits",
    "lists a task",
    "sends",
    "is too late to send",
    "journals an attempt",
    "adopts a task",
    "moves a record",
    "closes an attempt",
    "notes what is recovered",
    "reads and plans",
    "ends",
    "time passes",
    "looks again",
)
"""The steps of an apply that nothing disturbs; the first that is possible is taken."""


Possible = Callable[[World], dict[str, World]]


def steps_of_applies(setting: Setting) -> Possible:
    """The successors of a world by their names. Many worlds lead to the same one, so each is
    computed once."""
    attempts = tuple(number + 1 for number in setting.attempts)
    steps = Steps(replace(setting, attempts=attempts, twice=False))
    return cache(lambda world: dict(steps(world)))


def undisturbed(
    world: World, who: str, setting: Setting, steps: Possible, *, commits: bool
) -> World:
    """The world after one apply that nothing disturbs. Before it, each request that was under way
    `commits`, or is lost."""
    while world.requests:
        world = steps(world)["commits" if commits else "the request is lost"]
    waited = taskctl.waited(world.state)
    scope = setting.manifests[world.edit]
    new = Process("reads", scope, waited=waited, taken=world.version, who=who)
    new = new._replace(adopt=not may_apply_plainly(world, scope, setting))
    world, waits = world._replace(processes=(new,)), 0
    while world.processes:
        possible = steps(world)
        name = next(name for name in ORDER if name in possible)
        if name == "gets no response" and world.requests:
            name = "commits"
        if name == "time passes" and (waits := waits + 1) > setting.span:
            name, waits = "looks again", 0
        world = possible[name]
    return world


def unfinished(world: World, who: str, setting: Setting) -> set[str]:
    """The keys that are neither recorded nor unresolved, after an apply."""
    span = float(setting.span)
    waited = tuple((mark, span) for mark, _ in taskctl.waited(world.state))
    manifests = setting.manifests[world.edit]
    planned = taskctl.plan(world, Process("reads", manifests, waited=waited, who=who), setting)
    recorded = {ref.key for ref in taskctl.state_of(world.state).records}
    return {task.key for task in manifests} - recorded - set(planned.unresolved)
