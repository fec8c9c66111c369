"""What can happen next in a world: every step of a process, of the network, of the service, of the
storage and of people.

The storage refuses the writes of a process that does not have the lock, so after a takeover the old
process can do only one thing that matters: send the request that it has journaled, if it was
suspended just before that. Its other steps would change nothing, and are left out.

The same is true after a copy has replaced the state. The copy names no holder, so another process
can take its lock, while the old one believes that it still has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.model import journal, taskctl
from tests.model.world import LISTED, OTHER, Process, Request, Setting, Task, World

Step = tuple[str, World]
TWIN_MARK = "2026-11-24T11:58:00.123456Z"


class Steps:
    """The successors of a world."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._assumed = setting, setting.assumed

    def __call__(self, world: World) -> Iterator[Step]:
        yield from self._take(world)
        for process in world.processes:
            others = tuple(other for other in world.processes if other is not process)
            yield "is killed", _with(world, others)
            for name, after, changed in self._act(world, process):
                if self._setting.replaces and after is not None and changed.state != world.state:
                    entry = journal.extended(world.journal, world.state, changed.state)
                    changed = changed._replace(journal=entry)
                yield name, _with(changed, (*others, after) if after is not None else others)
        yield from self._serve(world)
        yield from self._list(world)
        if self._setting.twin:
            yield from self._twin(world)
        if self._setting.loses or self._setting.restores:
            yield from self._lose(world)
        if self._setting.replaces:
            yield from self._replace(world)
        if self._setting.people and not world.processes:
            yield from self._resolve(world)
        if self._setting.removes and not world.processes:
            yield from self._remove(world)
        yield from self._tick(world)

    # Processes

    def _take(self, world: World) -> Iterator[Step]:
        """A new process takes the lock, also from one that was suspended for so long that it seems
        to be gone."""
        old = world.processes
        if self._assumed.writes_conditionally:
            unaware = tuple(p for p in old if p.taken != world.version)
            noticing = (p for p in old if p.taken == world.version and p.step == "journaled")
            old = (*unaware, *map(_taken_over, noticing))
        if len(old) < self._setting.processes:
            for scope in self._scopes(world):
                waited = taskctl.waited(world.state)
                new = Process("reads", scope, waited=waited, taken=world.version)
                yield "takes the lock", _with(world, (*old, new))
                if self._may_adopt(world):
                    asked = new._replace(adopt=True)
                    yield "takes the lock, with --adopt", _with(world, (*old, asked))

    def _may_adopt(self, world: World) -> bool:
        """Whether someone may say that existing tasks are those of this repository."""
        is_asked = world.lost or self._setting.adopts
        is_right = not _has_twin(world) or not self._assumed.people_answer_correctly
        return is_asked and is_right

    def _scopes(self, world: World) -> list[tuple[str, ...]]:
        """The keys in the manifests of an apply: in another branch, there may be fewer."""
        keys = self._setting.keys
        is_partial = world.lost and not self._assumed.applies_all_manifests_after_a_loss
        return [keys, keys[:1]] if is_partial else [keys]

    def _act(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        if not journal.has_its_state(world, me):
            if me.step != "journaled":
                return
            me = _taken_over(me)
        match me.step:
            case "reads":
                yield from self._read(world, me)
            case "does":
                yield from self._do(world, me) if me.todo else self._end(world, me)
            case "journaled":
                yield from self._send(world, me)
            case "sent":
                yield from self._receive(world, me)
            case _:
                pass

    def _read(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        planned = taskctl.plan(world, me, self._setting)
        missed = {*planned.unresolved, *(key for key in me.missed if key not in me.only)}
        after = me._replace(step="does", todo=planned.items, missed=tuple(sorted(missed)))
        if not me.only:
            listed = tuple(task.id for task in reversed(world.tasks) if task.age == LISTED)
            after = after._replace(listed=listed)
        yield "reads and plans", after, world

    def _do(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        item, after = me.todo[0], me._replace(todo=me.todo[1:])
        match item.action:
            case "close":
                closed = taskctl.close(world.state, item.mark)
                yield "closes an attempt", after, world._replace(state=closed)
            case "adopt":
                adopted = taskctl.adopt(world.state, item)
                yield "adopts a task", after, world._replace(state=adopted)
            case _:
                most = self._setting.attempts[self._setting.keys.index(item.key)]
                mark = taskctl.free_mark(world, item.key, most)
                if mark is not None:
                    journaled = after._replace(step="journaled", mark=mark, since=0)
                    state = taskctl.journal(world.state, mark, me.listed, self._setting)
                    yield "journals an attempt", journaled, world._replace(state=state)

    def _send(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        if me.since < self._setting.window or not self._assumed.sends_in_time:
            request = Request(taskctl.key_of(me.mark), me.mark)
            sent = world._replace(requests=tuple(sorted((*world.requests, request))))
            yield "sends", me._replace(step="sent") if me.locked else None, sent
        if me.since >= self._setting.window and me.locked:
            state = taskctl.close(world.state, me.mark)
            after = me._replace(step="does", mark="", since=0)
            yield "is too late to send", after, world._replace(state=state)

    def _receive(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        ended = tuple(sorted({**dict(me.ended), me.mark: 0.0}.items()))
        after = me._replace(step="does", mark="", since=0, ended=ended)
        yield "gets no response", after, world
        for task in world.tasks:
            if not self._may_be_answered(world, me, task):
                continue
            answer = (me.mark, me.listed, task.id, self._setting)
            state = taskctl.record_created(world.state, *answer)
            if state is not None:
                created = tuple(sorted((*me.created, me.mark)))
                yield "gets an ID", after._replace(created=created), world._replace(state=state)
        left = tuple(r for r in world.requests if r.mark != me.mark)
        if len(left) < len(world.requests):
            refused = world._replace(state=taskctl.close(world.state, me.mark), requests=left)
            yield "is refused", after, refused
            if not self._assumed.refuses_truthfully:
                yield "is refused by a proxy", after, refused._replace(requests=world.requests)

    def _may_be_answered(self, world: World, me: Process, task: Task) -> bool:
        """Whether the response may name this task: ours, or an older one, which proves nothing."""
        is_other = not self._assumed.answers_with_no_other_new_task
        return task.mark == me.mark or task.id in me.listed or is_other

    def _end(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        """Looks again while attempts settle; otherwise, the apply ends."""
        noted = taskctl.note_waited(world.state, me, self._setting)
        if noted != world.state:
            yield "journals how long it has waited", me, world._replace(state=noted)
        attempts = taskctl.state_of(world.state).attempts.values()
        if left := tuple(sorted({a.ref.key for a in attempts if a.ref.key in me.scope})):
            again = me._replace(step="reads", only=left)
            planned = taskctl.plan(world, again, self._setting)
            if planned.items or planned.settling:
                yield "looks again", again, world
                return
        if not self._is_late_duplicate(world):
            yield "ends", None, self._ended(world, me, is_whole=not (left or me.missed))

    def _ended(self, world: World, me: Process, *, is_whole: bool) -> World:
        if me.created and taskctl.misses_duplicate(world, me, self._setting):
            world = world._replace(wrong="a duplicate was not reported")
        if is_whole:
            state = taskctl.compared(world.state, me.listed)
            world = world._replace(state=state, lost=False)
        return world._replace(saved=world.state, journal=0) if self._setting.replaces else world

    def _is_late_duplicate(self, world: World) -> bool:
        marks = [task.mark for task in world.tasks]
        late = [t for t in world.tasks if t.age != LISTED and marks.count(t.mark) > 1]
        return bool(late) and self._assumed.delivers_duplicates_in_time

    # The network and the service

    def _serve(self, world: World) -> Iterator[Step]:
        for request in world.requests:
            left = tuple(other for other in world.requests if other is not request)
            yield "the request is lost", world._replace(requests=left)
            for count in (1, 2) if self._setting.twice else (1,):
                made = [
                    Task(f"{request.mark}#{n}", request.key, request.mark, request.age)
                    for n in range(count)
                ]
                name = "commits" if count == 1 else "commits twice"
                yield name, _having(world._replace(requests=left), (*world.tasks, *made))

    def _list(self, world: World) -> Iterator[Step]:
        for task in world.tasks:
            if task.age != LISTED:
                others = tuple(other for other in world.tasks if other is not task)
                yield "lists a task", _having(world, (*others, task._replace(age=LISTED)))

    def _twin(self, world: World) -> Iterator[Step]:
        """Another repository of the same user creates a task with the same prompt."""
        if _has_twin(world):
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
        unlisted = (t.age + 1 >= settle for t in world.tasks if t.age != LISTED)
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
            return LISTED if ticks == LISTED else min(ticks + 1, settle)

        tasks = (task._replace(age=age(task.age)) for task in world.tasks)
        requests = sorted(r._replace(age=age(r.age)) for r in world.requests)
        later = _having(world._replace(requests=tuple(requests)), tasks)
        yield "time passes", _with(later, [older(process) for process in world.processes])

    # The storage and people

    def _lose(self, world: World) -> Iterator[Step]:
        if not self._assumed.keeps_what_it_acknowledged:
            forgotten = taskctl.without_newest_entry(world.state)
            yield "the storage forgets an attempt", world._replace(state=forgotten)
        if not self._assumed.keeps_the_login_after_a_loss and world.lost:
            yield "the login changes", world._replace(renamed=True)
        if self._setting.restores and world.backup < 0:
            yield "the state is copied", world._replace(backup=world.state)
        sending = any(process.step == "journaled" for process in world.processes)
        unlisted = any(task.age != LISTED for task in world.tasks)
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
        in_flight |= {task.mark for task in world.tasks if task.age != LISTED}
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
        return _with(after, left)

    def _remove(self, world: World) -> Iterator[Step]:
        """Once."""
        state = taskctl.state_of(world.state)
        for ref in state.records if not state.retired else ():
            yield "a record is removed", world._replace(state=taskctl.remove(world.state, ref))

    def _resolve(self, world: World) -> Iterator[Step]:
        """Someone resolves a key, and knows what happened to its requests."""
        waited = tuple((mark, float(self._setting.span)) for mark, _ in taskctl.waited(world.state))
        late = Process("reads", self._setting.keys, waited=waited)
        for key in taskctl.plan(world, late, self._setting).unresolved:
            own = [task.id for task in world.tasks if task.owner == key]
            is_sent = any(request.key == key for request in world.requests)
            if not own and (not is_sent or not self._assumed.people_answer_correctly):
                state = taskctl.resolve(world.state, key, None, self._setting)
                yield "someone says that no task exists", world._replace(state=state)
            taken = taskctl.state_of(world.state).recorded_ids()
            for task_id in own:
                if task_id not in taken:
                    state = taskctl.resolve(world.state, key, task_id, self._setting)
                    yield "someone names the task", world._replace(state=state)
            if not self._assumed.people_answer_correctly and own:
                state = taskctl.resolve(world.state, key, None, self._setting)
                yield "someone is wrong", world._replace(state=state)


def _has_twin(world: World) -> bool:
    return any(task.owner == OTHER for task in world.tasks)


def _taken_over(process: Process) -> Process:
    """A process that was suspended between its journal entry and its request."""
    return Process(
        "journaled", locked=False, mark=process.mark, since=process.since, taken=process.taken
    )


def _with(world: World, processes: Iterable[Process]) -> World:
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
