"""What can happen next in a world: every step of a process, of the network, of the service, of the
storage and of people.

The storage rejects the writes of a process that does not have the lock, so after a takeover the old
process can do only one thing that matters: send the request that it has journaled, if it was
suspended just before that. Its other steps would change nothing, and are left out.

The same is true after a copy has replaced the state. The copy names no holder, so another process
can take its lock, while the old one believes that it still has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.model import journal, taskctl, writes
from tests.model.events import Events, Step, has_twin, taken_over, with_processes
from tests.model.people import may_apply, may_apply_plainly
from tests.model.service import listed_ids
from tests.model.world import LISTED, NOTHING, Manifests, Process, Request, Setting, Task, World


class Steps:
    """The successors of a world."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._assumed = setting, setting.assumed
        self._events = Events(setting)

    def __call__(self, world: World) -> Iterator[Step]:
        yield from self._take(world)
        for process in world.processes:
            others = tuple(other for other in world.processes if other is not process)
            yield "is killed", with_processes(world, others)
            for name, after, changed in self._act(world, process):
                if self._setting.replaces and after is not None and changed.state != world.state:
                    entry = journal.extended(world.journal, world.state, changed.state)
                    changed = changed._replace(journal=entry)
                left = (*others, after) if after is not None else others
                yield name, with_processes(changed, left)
        yield from self._events(world)

    # Processes

    def _take(self, world: World) -> Iterator[Step]:
        """A new process takes the lock, also from one that was suspended for so long that it seems
        to be gone."""
        old = world.processes
        if self._assumed.writes_conditionally:
            unaware = tuple(p for p in old if p.taken != world.version)
            noticing = (p for p in old if p.taken == world.version and p.step == "journaled")
            old = (*unaware, *map(taken_over, noticing))
        if len(old) < self._setting.processes:
            waited, users = taskctl.waited(world.state), may_apply(world, self._setting)
            for scope, who in product(self._scopes(world), users):
                new = Process("reads", scope, waited=waited, taken=world.version, who=who)
                if may_apply_plainly(world, scope, self._setting):
                    yield "takes the lock", with_processes(world, (*old, new))
                if self._may_adopt(world):
                    asked = new._replace(adopt=True)
                    yield "takes the lock, with --adopt", with_processes(world, (*old, asked))

    def _may_adopt(self, world: World) -> bool:
        """Whether someone may say that existing tasks are those of this repository."""
        is_asked = world.lost or self._setting.adopts
        is_right = not has_twin(world) or not self._assumed.people_answer_correctly
        return is_asked and is_right

    def _scopes(self, world: World) -> list[Manifests]:
        """The manifests of an apply: in another branch, there may be fewer tasks."""
        every = self._setting.manifests[world.edit]
        is_partial = world.lost and not self._assumed.applies_all_manifests_after_a_loss
        return [every, every[:1]] if is_partial else [every]

    def _act(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        if not journal.has_its_state(world, me):
            if me.step != "journaled":
                return
            me = taken_over(me)
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
        yield "reads and plans", *self._planned(world, me, ())
        for lacking in self._lacking(world, me) if self._setting.lacks else ():
            name = f"reads a list without {', '.join(lacking)}, and plans"
            yield name, *self._planned(world, me, lacking)

    def _lacking(self, world: World, me: Process) -> set[tuple[str, ...]]:
        """The parts that lists may lack: their beginning, their end, or everything."""
        listed = listed_ids(world.tasks, me.who, self._setting)
        known = writes.known_ids(world.state, me.who)
        parts = {listed[start:end] for start, end in _ends(len(listed))}
        is_any = not self._assumed.lists_in_time
        return {part for part in parts if is_any or not known.isdisjoint(part)}

    def _planned(
        self, world: World, me: Process, lacking: tuple[str, ...]
    ) -> tuple[Process | None, World]:
        planned = taskctl.plan(world, me, self._setting, lacking)
        missed = {*planned.unresolved, *(key for key in me.missed if key not in me.only)}
        after = me._replace(step="does", todo=planned.items, missed=tuple(sorted(missed)))
        if not me.only:
            after = after._replace(
                listed=planned.listed, compares=planned.compares, recovers=planned.recovers
            )
        return after, world

    def _do(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        item, after = me.todo[0], me._replace(todo=me.todo[1:])
        match item.action:
            case "close":
                closed = writes.close(world.state, item.mark)
                yield "closes an attempt", after, world._replace(state=closed)
            case "note":
                noted = writes.note(world.state, item)
                yield "notes what is recovered", after, world._replace(state=noted)
            case "adopt":
                adopted = writes.adopt(world.state, item, me.who)
                yield "adopts a task", after, world._replace(state=adopted)
            case "move":
                moved = writes.move(world.state, item, me.who)
                yield "moves a record", after, world._replace(state=moved)
            case _:
                mark = taskctl.free_mark(world, item.task.job, self._setting.most(item.task.job))
                if mark is not None:
                    journaled = after._replace(step="journaled", mark=mark, task=item.task, since=0)
                    state = writes.journal(world.state, journaled, self._setting)
                    yield "journals an attempt", journaled, world._replace(state=state)

    def _send(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        if me.since < self._setting.window or not self._assumed.sends_in_time:
            request = Request(me.mark, prompt=me.task.prompt, maker=me.who)
            sent = world._replace(requests=tuple(sorted((*world.requests, request))))
            yield "sends", me._replace(step="sent") if me.locked else None, sent
        if me.since >= self._setting.window and me.locked:
            state = writes.close(world.state, me.mark)
            after = _idle(me)
            yield "is too late to send", after, world._replace(state=state)

    def _receive(self, world: World, me: Process) -> Iterator[tuple[str, Process | None, World]]:
        ended = tuple(sorted({**dict(me.ended), me.mark: 0.0}.items()))
        after = _idle(me)._replace(ended=ended)
        yield "gets no response", after, world
        for task in world.tasks:
            if not self._may_be_answered(world, me, task):
                continue
            state = writes.record_created(world.state, me, task.id, self._setting)
            if state is not None:
                created = tuple(sorted((*me.created, me.mark)))
                yield "gets an ID", after._replace(created=created), world._replace(state=state)
        left = tuple(r for r in world.requests if r.mark != me.mark)
        if len(left) < len(world.requests):
            refused = world._replace(state=writes.close(world.state, me.mark), requests=left)
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
        if left := self._tried(world, me):
            again = me._replace(step="reads", only=left)
            planned = taskctl.plan(world, again, self._setting)
            if planned.items or planned.settling:
                yield "looks again", again, world
                return
        if not self._is_late_duplicate(world):
            yield "ends", None, self._ended(world, me, is_whole=not (left or me.missed))

    @staticmethod
    def _tried(world: World, me: Process) -> tuple[str, ...]:
        """The keys with an open attempt, or those to which they move."""
        moves = {task.moved_from or task.key: task.key for task in me.scope}
        moves |= {task.key: task.key for task in me.scope}
        attempts = taskctl.state_of(world.state).attempts.values()
        return tuple(sorted({moves.get(a.ref.key, a.ref.key) for a in attempts}))

    def _ended(self, world: World, me: Process, *, is_whole: bool) -> World:
        if me.created and writes.misses_duplicate(world, me, self._setting):
            world = world._replace(wrong="a duplicate was not reported")
        if me.recovers:
            world = world._replace(state=writes.end_recovery(world.state), lost=False)
        if is_whole:
            state = world.state
            if me.compares and not taskctl.state_of(state).recovering:
                state = writes.compared(state, me.listed, me.who, self._setting)
            is_current = me.scope == self._setting.manifests[world.edit]
            applied = world.edit if is_current else world.applied
            world = world._replace(state=state, lost=False, applied=applied)
        return world._replace(saved=world.state, journal=0) if self._setting.replaces else world

    def _is_late_duplicate(self, world: World) -> bool:
        marks = [task.mark for task in world.tasks]
        late = [t for t in world.tasks if t.age != LISTED and marks.count(t.mark) > 1]
        return bool(late) and self._assumed.delivers_duplicates_in_time


def _ends(count: int) -> Iterator[tuple[int, int]]:
    """The bounds of what is left out at the beginning or at the end."""
    for number in range(1, count + 1):
        yield 0, number
        yield count - number, count


def _idle(process: Process) -> Process:
    """A process whose attempt is over."""
    return process._replace(step="does", mark="", task=NOTHING, since=0)
