"""What can happen next in a world beside the steps of processes: in the network, at the service, in
the storage, and what people do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from tests.model import journal, taskctl, writes
from tests.model.people import is_found
from tests.model.world import (
    GONE,
    LISTED,
    ME,
    OTHER,
    Declared,
    Process,
    Request,
    Setting,
    Task,
    World,
)

Step = tuple[str, World]
TWIN_MARK = "2026-11-24T11:58:00.123456Z"


class Events:
    """The worlds after these steps."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._assumed = setting, setting.assumed

    def __call__(self, world: World) -> Iterator[Step]:
        yield from self._serve(world)
        yield from self._list(world)
        if self._setting.twin:
            yield from self._twin(world)
        if self._setting.loses or self._setting.restores:
            yield from self._lose(world)
        if self._setting.replaces:
            yield from self._replace(world)
        if self._setting.people and not world.processes and is_found(world, self._setting):
            yield from self._resolve(world)
        if self._setting.removes and not world.processes:
            yield from self._remove(world)
        if self._setting.accepts and not world.processes:
            yield from self._accept(world)
        if world.edit + 1 < len(self._setting.manifests) and self._may_edit(world):
            yield "the manifests are edited", world._replace(edit=world.edit + 1)
        yield from self._tick(world)

    # The network and the service

    def _serve(self, world: World) -> Iterator[Step]:
        for request in world.requests:
            left = tuple(other for other in world.requests if other is not request)
            yield "the request is lost", world._replace(requests=left)
            for count in (1, 2) if self._setting.twice else (1,):
                made = [_made(request, number) for number in range(count)]
                name = "commits" if count == 1 else "commits twice"
                yield name, _having(world._replace(requests=left), (*world.tasks, *made))

    def _list(self, world: World) -> Iterator[Step]:
        for task in world.tasks:
            if task.age not in (LISTED, GONE):
                others = tuple(other for other in world.tasks if other is not task)
                yield "lists a task", _having(world, (*others, task._replace(age=LISTED)))

        if self._setting.deletes:
            recorded = taskctl.state_of(world.state).recorded_ids()
            for task in world.tasks:
                if task.age == LISTED and task.id in recorded:
                    others = tuple(other for other in world.tasks if other is not task)
                    yield "loses a task", _having(world, (*others, task._replace(age=GONE)))

    def _twin(self, world: World) -> Iterator[Step]:
        """Another repository of the same user creates a task with the same prompt."""
        if has_twin(world):
            return
        is_answered = any(process.adopt for process in world.processes)
        if is_answered and self._assumed.people_answer_correctly:
            return
        marks = [TWIN_MARK]
        if not self._assumed.marks_are_unique:
            marks += taskctl.state_of(world.state).attempts
        for mark in marks:
            twin = Task(f"{mark}#twin", OTHER, mark)
            yield "another repository creates a task", _having(world, (*world.tasks, twin))

    def _tick(self, world: World) -> Iterator[Step]:
        """Time passes, unless something has to happen before."""
        settle, window, span = self._setting.settle, self._setting.window, float(self._setting.span)
        late = (request.age + 1 >= settle for request in world.requests)
        unlisted = (t.age + 1 >= settle for t in world.tasks if t.age not in (LISTED, GONE))
        if self._assumed.commits_in_time and any(late):
            return
        if self._assumed.lists_in_time and any(unlisted):
            return

        def older(process: Process) -> Process:
            return process._replace(
                since=min(process.since + 1, window) if process.mark else 0,
                waited=tuple((mark, min(ticks + 1.0, span)) for mark, ticks in process.waited),
                ended=tuple((mark, min(ticks + 1.0, span)) for mark, ticks in process.ended),
            )

        def age(ticks: int) -> int:
            return ticks if ticks in (LISTED, GONE) else min(ticks + 1, settle)

        tasks = (task._replace(age=age(task.age)) for task in world.tasks)
        requests = sorted(r._replace(age=age(r.age)) for r in world.requests)
        later = _having(world._replace(requests=tuple(requests)), tasks)
        yield "time passes", with_processes(later, [older(process) for process in world.processes])

    # The storage and people

    def _lose(self, world: World) -> Iterator[Step]:
        if not self._assumed.keeps_what_it_acknowledged:
            forgotten = writes.without_newest_entry(world.state)
            yield "the storage forgets an attempt", world._replace(state=forgotten)
        if self._setting.restores and world.backup < 0:
            yield "the state is copied", world._replace(backup=world.state)
        sending = any(process.step == "journaled" for process in world.processes)
        unlisted = any(task.age not in (LISTED, GONE) for task in world.tasks)
        in_flight = sending or unlisted or bool(world.requests)
        if in_flight and self._assumed.no_create_is_in_flight_at_a_loss:
            return
        lost = world._replace(processes=(), lost=True)
        if self._setting.loses:
            yield "the state is lost", lost._replace(state=taskctl.NEW)
        if world.backup >= 0:
            yield "the copy is restored", lost._replace(state=world.backup)

    def _replace(self, world: World) -> Iterator[Step]:
        """A copy of the saved state replaces it. The journal stays, and has all that is in
        flight."""
        if world.backup != world.saved:
            yield "the state is copied", world._replace(backup=world.saved)
        if world.backup < 0 or world.version == self._setting.replaces:
            return
        in_flight = {request.mark for request in world.requests}
        in_flight |= {task.mark for task in world.tasks if task.age not in (LISTED, GONE)}
        in_flight |= {process.mark for process in world.processes if process.step == "journaled"}
        is_known = in_flight <= journal.marks(world.backup, world.journal)
        if is_known or not self._assumed.no_create_is_in_flight_at_a_loss:
            yield "the copy replaces the state", self._replaced(world)

    def _replaced(self, world: World) -> World:
        state, carried, wrong = journal.replaced(world.backup, world.journal)
        after = world._replace(state=state, saved=world.backup, journal=carried, wrong=wrong)
        after = after._replace(version=world.version + 1, lost=True)
        left = (
            process
            for process in world.processes
            if process.step == "journaled" or journal.has_its_state(after, process)
        )
        return with_processes(after, left)

    def _remove(self, world: World) -> Iterator[Step]:
        """Once."""
        state = taskctl.state_of(world.state)
        for ref in state.records if not state.retired else ():
            yield "a record is removed", world._replace(state=writes.remove(world.state, ref))

    def _accept(self, world: World) -> Iterator[Step]:
        for task in self._setting.manifests[world.edit]:
            accepted = writes.accept(world.state, task)
            if accepted != world.state:
                yield "a prompt is accepted", world._replace(state=accepted)

    def _may_edit(self, world: World) -> bool:
        """Whether people make the next edit now. Until an apply has succeeded, they count on every
        version of the manifests since the last one that did."""
        if not self._assumed.people_rename_as_documented:
            return True
        *known, new = self._setting.manifests[world.applied : world.edit + 2]
        return all(
            self._is_documented(world, before, after)
            for manifests in known
            for before, after in product(manifests, new)
        )

    def _is_documented(self, world: World, before: Declared, after: Declared) -> bool:
        """Whether a task of new manifests is another one, or has the same key, or names it, or does
        the same work."""
        if before.job != after.job:
            return before.key != after.key
        if before.key in (after.key, after.moved_from):
            return True
        recorded = writes.prompts_of(world.state, after.job)
        running = (task for each in world.processes for task in (*each.scope, each.task))
        prompts = {task.prompt for task in running if task.job == after.job}
        prompts |= {r.prompt for r in world.requests if taskctl.job_of(r.mark) == after.job}
        return prompts <= {after.prompt} and (not recorded or after.prompt in recorded)

    def _resolve(self, world: World) -> Iterator[Step]:
        """Someone resolves a key, and knows what happened to its requests."""
        waited = tuple((mark, float(self._setting.span)) for mark, _ in taskctl.waited(world.state))
        late = Process("reads", self._setting.manifests[world.edit], waited=waited)
        unresolved = taskctl.plan(world, late, self._setting).unresolved
        for declared in late.scope:
            if declared.key not in unresolved:
                continue
            own = [task for task in world.tasks if task.owner == declared.job]
            is_sent = any(taskctl.job_of(r.mark) == declared.job for r in world.requests)
            none = world._replace(state=writes.resolve(world.state, declared, None))
            if not own and (not is_sent or not self._assumed.people_answer_correctly):
                yield "someone says that no task exists", none
            taken = taskctl.state_of(world.state).recorded_ids()
            for task in own:
                if task.id not in taken:
                    state = writes.resolve(world.state, declared, task)
                    yield "someone names the task", world._replace(state=state)
            if not self._assumed.people_answer_correctly and own:
                yield "someone is wrong", none


def _made(request: Request, number: int) -> Task:
    """A task that a request creates."""
    maker = "" if request.maker == ME else f"@{request.maker}"
    task_id, job = f"{request.mark}#{number}{maker}", taskctl.job_of(request.mark)
    return Task(task_id, job, request.mark, request.age, request.prompt, request.maker)


def has_twin(world: World) -> bool:
    return any(task.owner == OTHER for task in world.tasks)


def taken_over(process: Process) -> Process:
    """A process that was suspended between its journal entry and its request."""
    return Process(
        "journaled",
        locked=False,
        mark=process.mark,
        task=process.task,
        since=process.since,
        taken=process.taken,
        who=process.who,
    )


def with_processes(world: World, processes: Iterable[Process]) -> World:
    """With these processes; each remembers only what concerns open attempts."""
    kept = sorted(_pruned(process, world.state) for process in processes)
    return world._replace(processes=tuple(kept))


def _pruned(process: Process, state: int) -> Process:
    if not (process.ended or process.waited):
        return process
    attempts = taskctl.state_of(state).attempts
    return process._replace(
        ended=tuple(pair for pair in process.ended if pair[0] in attempts),
        waited=tuple(pair for pair in process.waited if pair[0] in attempts),
    )


def _having(world: World, tasks: Iterable[Task]) -> World:
    return world._replace(tasks=tuple(sorted(tasks)))
