"""Short scripts, of which every run with up to a few faults is told: each fault that a script meets
either happens or not, in every combination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tests.model.process import Repository
from tests.model.rules import Rules
from tests.model.service import STRANGER, Task
from tests.model.stories import ALICE, BOTH
from tests.model.values import DAY, KEPT, SETTLE, Key, Ref
from tests.model.world import Setting, World

A, B, C = (Key("acme", name) for name in "abc")


class OutsideError(Exception):
    """A script goes on outside the assumptions."""


class Replayed:
    """A chooser that repeats the choices of `script`, and then lets nothing happen."""

    def __init__(self, script: tuple[int, ...]) -> None:
        self._script = script
        self.counts: list[int] = []
        self.is_fault: list[bool] = []
        self.log: list[str] = []

    def _next(self, count: int, *, is_fault: bool) -> int:
        position = len(self.counts)
        self.counts.append(count)
        self.is_fault.append(is_fault)
        return self._script[position] if position < len(self._script) else 0

    def fault(self, name: str, *options: str) -> str:
        chosen = self._next(1 + len(options), is_fault=True)
        if not chosen:
            return ""
        self.log.append(f"{name}: {options[chosen - 1]}")
        return options[chosen - 1]

    def pick(self, count: int) -> int:
        return self._next(count, is_fault=False)


@dataclass(frozen=True)
class Scenario:
    """`script` uses a world with one repository, or more."""

    name: str
    script: Callable[[World], None]
    setting: Setting = field(default_factory=Setting)


@dataclass(frozen=True)
class Run:
    script: tuple[int, ...]
    wrong: str
    log: tuple[str, ...]
    world: World


def runs(scenario: Scenario, rules: Rules, most: int) -> Iterator[Run]:
    """Every run with at most so many faults. Another choice than the first counts as a fault."""
    left: list[tuple[tuple[int, ...], int]] = [((), 0)]
    while left:
        script, faults = left.pop()
        chooser = Replayed(script)
        world = World(scenario.setting, chooser, rules)
        chooser.log = world.log
        try:
            scenario.script(world)
            wrong = world.violation() or world.wrong or world.calm_end()
        except OutsideError:
            wrong = world.violation() or world.wrong
        yield Run(script, wrong, tuple(world.log), world)
        if faults == most:
            continue
        for position in range(len(script), len(chooser.counts)):
            before = script + (0,) * (position - len(script))
            for chosen in range(1, chooser.counts[position]):
                left.append(((*before, chosen), faults + 1))


def _first(world: World) -> tuple[Repository, str]:
    return world.repos[0], world.setting.users[0]


def _begin(world: World, *keys: Key, is_new: bool = True) -> tuple[Repository, str]:
    repo, user = _first(world)
    world.new_state(repo, is_new=is_new)
    for key in keys:
        world.add(repo, key)
    return repo, user


def _apply(world: World, repo: Repository, user: str, *, times: int = 1) -> None:
    for _ in range(times):
        if repo.storage.state is None:
            world.new_state(repo, is_new=False)
        if user in world.may_apply(repo):
            world.apply(repo, user)
        world.service.now += 1


def _rest(world: World) -> None:
    world.service.now += SETTLE + 2


def _by_hand(world: World, user: str, ref: Ref | None, org: str = "acme") -> Task:
    service = world.service
    service.requests += 1
    now, name = service.now, f"t{len(service.tasks):03}"
    task = Task(
        name, org, user, "", service.requests, ref, "by hand", now, now, now, now, is_shared=True
    )
    service.tasks.append(task)
    return task


def _be_seen(world: World, repo: Repository, user: str = "") -> None:
    """After a loss, a user applies who sees all tasks."""
    repo.firsts = world.who_sees_all(repo)
    if not repo.firsts or (user and user not in repo.firsts):
        raise OutsideError


def _lose(world: World, repo: Repository) -> None:
    _be_seen(world, repo)
    repo.storage.lose()


def _set_back(world: World, repo: Repository, user: str, *, is_empty: bool = False) -> None:
    """The first version of the state is restored, or one without records."""
    _be_seen(world, repo, user)
    state = repo.storage.older[0] if repo.storage.older else repo.storage.state
    assert state is not None
    if is_empty:
        state = replace(state, records={}, former={}, baselines={})
    repo.storage.restore(state, with_journal=False)
    world.repeat(repo, user)


# Scripts


def one_key(world: World) -> None:
    repo, user = _begin(world, A)
    _apply(world, repo, user, times=3)


def two_keys(world: World) -> None:
    repo, user = _begin(world, A, B)
    _apply(world, repo, user, times=2)


def lost(world: World) -> None:
    repo, user = _begin(world, A, B)
    _apply(world, repo, user)
    _rest(world)
    _lose(world, repo)
    world.edit(repo, A)
    _apply(world, repo, user)
    if world.answer(repo, user):
        _apply(world, repo, user)


def set_back(world: World) -> None:
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    world.add(repo, B)
    _apply(world, repo, user)
    _rest(world)
    _set_back(world, repo, user)
    world.edit(repo, B)
    _apply(world, repo, user, times=2)


def replaced_twice(world: World) -> None:
    """A retry, an older state, and the same retry."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    task = world.service.tasks[0] if world.service.tasks else None
    if task is None:
        return
    world.wish(task)
    world.apply(repo, user, None, {A: task.id})
    _rest(world)
    _set_back(world, repo, user)
    world.edit(repo, A)
    world.apply(repo, user, None, {A: task.id})
    _apply(world, repo, user)


def renamed(world: World) -> None:
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    world.rename(repo, A, B, declared=True)
    world.edit(repo, B)
    _apply(world, repo, user, times=2)


def renamed_in_silence(world: World) -> None:
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    world.rename(repo, A, B, declared=False)
    _apply(world, repo, user)
    world.solve(repo, user)
    world.edit(repo, B)
    _apply(world, repo, user)


def moved_by_hand(world: World) -> None:
    """`state mv`, also of an open attempt, and an edit."""
    repo, user = _begin(world, A)
    world.apply(repo, user)
    state = repo.storage.state
    if state is None or not (state.records or state.attempts):
        return
    world.rename(repo, A, B, declared=False)
    if world.attempt(lambda: world.process(repo, user).move(A, B)):
        world.edit(repo, B)
        _apply(world, repo, user, times=2)


def copied(world: World) -> None:
    """A user copies the prompt of a task whose response may have been lost."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    _rest(world)
    if world.service.tasks:
        _by_hand(world, user, world.service.tasks[0].ref)
    _apply(world, repo, user, times=2)


def copied_and_set_back(world: World) -> None:
    """... and the state has lost its record, and its user."""
    repo, user = _begin(world, A)
    other = world.setting.users[-1]
    _apply(world, repo, user)
    _rest(world)
    if world.service.tasks:
        world.service.tasks[0].is_shared = True
        _by_hand(world, other, world.service.tasks[0].ref)
    _set_back(world, repo, other, is_empty=True)
    _apply(world, repo, other)
    world.solve(repo, other)


def copied_and_hidden(world: World) -> None:
    """... and a list may show the copy only, and lack what is known."""
    repo, user = _begin(world, A, B)
    _apply(world, repo, user)
    _rest(world)
    state = repo.storage.state
    if state is None or A not in state.records or B not in state.records:
        return
    _by_hand(world, user, state.records[A].ref)
    _rest(world)
    _be_seen(world, repo, user)
    records = {key: record for key, record in state.records.items() if key != A}
    repo.storage.begin(replace(state, records=records, baselines={}))
    _apply(world, repo, user, times=2)


def copied_to_another_organization(world: World) -> None:
    repo, user = _begin(world, Key("beta", "a"))
    _apply(world, repo, user)
    _rest(world)
    if world.service.tasks:
        _by_hand(world, user, world.service.tasks[0].ref, "acme")
    world.add(repo, A)
    _apply(world, repo, user, times=2)


def two_users(world: World) -> None:
    repo, alice = _begin(world, A)
    bob = world.setting.users[1]
    _apply(world, repo, alice)
    _apply(world, repo, bob)
    _apply(world, repo, alice)


def unreadable_after_a_restore(world: World) -> None:
    """The other user is unknown to the older state, and its task cannot be read at once."""
    repo, alice = _begin(world, A)
    bob = world.setting.users[1]
    _apply(world, repo, alice)
    world.add(repo, B)
    _apply(world, repo, bob)
    _rest(world)
    _set_back(world, repo, alice)
    _apply(world, repo, alice)


def journal_alone(world: World) -> None:
    """The file is lost, but not the journal of an apply that was killed."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    world.add(repo, B)
    _by_hand(world, user, None)
    _apply(world, repo, user)
    _rest(world)
    if repo.storage.saved != repo.storage.state:
        _be_seen(world, repo)
        has = world.rules.has("journal: no baselines without the file")
        repo.storage.lose_file(keeps_baselines=not has)
    _apply(world, repo, user)


def much_to_read(world: World) -> None:
    """First messages are read in parts, by applies that are killed."""
    repo, user = _begin(world, A, B)
    for _ in range(2):
        _by_hand(world, STRANGER, None)
    _apply(world, repo, user)
    for _ in range(5):
        _by_hand(world, STRANGER, None)
    _rest(world)
    _set_back(world, repo, user, is_empty=True)
    _apply(world, repo, user, times=2)


def much_to_read_after_a_loss(world: World) -> None:
    repo, user = _begin(world, A)
    for _ in range(3):
        _by_hand(world, STRANGER, None)
    _apply(world, repo, user)
    for _ in range(3):
        _by_hand(world, STRANGER, None)
    _rest(world)
    _lose(world, repo)
    _apply(world, repo, user, times=2)
    world.answer(repo, user)


def joined(world: World) -> None:
    """A repository takes the tasks of another one, which are older, and continues its state."""
    repo, other = world.repos[0], world.repos[1]
    user = world.setting.users[0]
    world.new_state(other, is_new=True)
    world.add(other, B)
    _apply(world, other, user)
    world.service.now += 2 * DAY
    _begin(world, A)
    _apply(world, repo, user)
    for _ in range(KEPT + 1):
        _by_hand(world, STRANGER, None)
    _rest(world)
    _apply(world, repo, user)
    repo.entries.update(other.entries)
    other.entries.clear()
    repo.ids += other.ids
    other.ids.clear()
    other.storage.lose()
    repo.is_halved = True
    for _ in range(2):
        if repo.is_halved and world.answer(repo, user):
            _apply(world, repo, user)
    if not repo.is_halved:
        _rest(world)
        _push_without_records(world, repo)
        _apply(world, repo, user)


def _push_without_records(world: World, repo: Repository) -> None:
    state = repo.storage.state
    assert state is not None
    _be_seen(world, repo)
    has = world.rules.has("baseline: dropped by push")
    baselines = {} if has else state.baselines
    repo.storage.begin(replace(state, records={}, former={}, baselines=baselines))
    world.repeat(repo, world.setting.users[0])


def replaced_after_a_loss(world: World) -> None:
    """The numbers of the lost state are higher than those of the new one."""
    repo, user = _begin(world, A, B, C)
    _apply(world, repo, user)
    _rest(world)
    _lose(world, repo)
    world.new_state(repo, is_new=False)
    if not world.answer(repo, user):
        return
    _apply(world, repo, user)
    state = repo.storage.state
    assert state is not None
    record = state.records.get(C)
    if record is None:
        return
    task = world.service.find(record.task)
    world.wish(task)
    world.apply(repo, user, None, {C: task.id})
    _rest(world)
    later = repo.storage.state
    assert later is not None
    _be_seen(world, repo)
    repo.storage.begin(replace(later, former={}, baselines={}))
    world.apply(repo, user, None, {C: task.id})
    _apply(world, repo, user)


def replaced_and_pushed(world: World) -> None:
    """The history is lost, and the same replacement is asked for again."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    state = repo.storage.state
    if state is None or A not in state.records:
        return
    task = world.service.find(state.records[A].task)
    world.wish(task)
    world.apply(repo, user, None, {A: task.id})
    _rest(world)
    later = repo.storage.state
    assert later is not None
    repo.storage.begin(replace(later, former={}, baselines={}))
    world.apply(repo, user, None, {A: task.id})
    world.apply(repo, user, None, {A: task.id})


def counted(world: World) -> None:
    """An older state replaces a task again, and the response is lost."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    for _ in range(2):
        state = repo.storage.state
        if state is None or A not in state.records:
            return
        task = world.service.find(state.records[A].task)
        world.wish(task)
        world.apply(repo, user, None, {A: task.id})
        _rest(world)
    _set_back(world, repo, user)
    _apply(world, repo, user)
    state = repo.storage.state
    if state is None or A not in state.records:
        return
    task = world.service.find(state.records[A].task)
    world.wish(task)
    for _ in range(3):
        world.apply(repo, user, None, {A: task.id})


def closed_early(world: World) -> None:
    """A person closes an attempt as soon as an apply was killed."""
    repo, user = _begin(world, A)
    world.apply(repo, user)
    state = repo.storage.state
    for attempt in list(state.attempts.values()) if state is not None else ():
        if not world.service.of_job(attempt.prompt.partition(" ")[0]):
            world.attempt(lambda: world.process(repo, user).close(A, is_early=True))
    _apply(world, repo, world.setting.users[-1], times=2)


def assigned(world: World) -> None:
    """A person names the task of a key, and its history comes back."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    _rest(world)
    named = _by_hand(world, STRANGER, None)
    named.job = repo.entries[A].job
    world.allowed[named.job] += 1
    world.wished.update(task.id for task in world.service.tasks)
    first = world.service.tasks[0].id
    world.attempt(lambda: world.process(repo, user).assign(A, named.id))
    state = repo.storage.state
    if state is None or A not in state.records or state.records[A].task != named.id:
        return
    repo.storage.begin(replace(state, former={}, baselines={}))
    world.apply(repo, user, None, {A: first})
    world.apply(repo, user, None, {A: first})


def assigned_and_reused(world: World) -> None:
    """A rename is repeated by an assignment, the name is used again, and a prompt is copied."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    _rest(world)
    state = repo.storage.state
    if len(world.service.tasks) != 1 or state is None or A not in state.records:
        return
    world.rename(repo, A, B, declared=False)
    task = world.service.tasks[0]
    _push_without_records_of(repo)
    if not world.attempt(lambda: world.process(repo, user).assign(B, task.id)):
        return
    _apply(world, repo, user)
    world.add(repo, A)
    _by_hand(world, user, task.ref)
    _apply(world, repo, user, times=2)


def _push_without_records_of(repo: Repository) -> None:
    state = repo.storage.state
    assert state is not None
    repo.storage.begin(replace(state, records={}, former={}, baselines={}))


def moved_to_a_known_key(world: World) -> None:
    """`movedFrom` meets a record of the new key: an older state has the old key, and the task that
    replaced it is found under the new one."""
    repo, user = _begin(world, A)
    _apply(world, repo, user)
    state = repo.storage.state
    if state is None or A not in state.records:
        return
    before, task = state, world.service.find(state.records[A].task)
    world.rename(repo, A, B, declared=True)
    _apply(world, repo, user)
    world.wish(task)
    world.apply(repo, user, None, {B: task.id})
    _rest(world)
    _be_seen(world, repo)
    repo.storage.begin(before)
    world.apply(repo, user, None, {B: task.id})
    world.apply(repo, user, None, {B: task.id})


def guessed(world: World) -> None:
    """A member of the organization guesses the reference of an attempt."""
    repo, user = _begin(world, A)
    _by_hand(world, STRANGER, Ref("a", 1, repo.ids[0]))
    _apply(world, repo, user)
    _by_hand(world, STRANGER, Ref("a", 2, repo.ids[0]))
    _apply(world, repo, user)
    world.solve(repo, user)


def without_references(world: World) -> None:
    repo, user = _begin(world, A, B)
    _apply(world, repo, user, times=2)
    world.solve(repo, user)


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("one key", one_key),
        Scenario("two keys", two_keys),
        Scenario("a lost state", lost),
        Scenario("a state that is set back", set_back),
        Scenario("a replacement before a restore", replaced_twice),
        Scenario("a rename", renamed),
        Scenario("a rename without movedFrom", renamed_in_silence),
        Scenario("a key that is moved by hand", moved_by_hand),
        Scenario("a copied prompt", copied),
        Scenario("a copied prompt and a restore", copied_and_set_back, Setting(BOTH)),
        Scenario("a copied prompt and a list that lies", copied_and_hidden),
        Scenario(
            "a prompt copied to another organization",
            copied_to_another_organization,
            Setting(orgs=("acme", "beta")),
        ),
        Scenario("two users, private tasks", two_users, Setting(BOTH, shares=False)),
        Scenario(
            "an unreadable task of an unknown user", unreadable_after_a_restore, Setting(BOTH)
        ),
        Scenario("a journal without its file", journal_alone),
        Scenario("much to read", much_to_read),
        Scenario("much to read after a loss", much_to_read_after_a_loss),
        Scenario("a state that continues another one", joined, Setting(repositories=2)),
        Scenario("a replacement after a loss", replaced_after_a_loss),
        Scenario("a lost history", replaced_and_pushed),
        Scenario("numbers after a restore", counted),
        Scenario("an attempt that is closed early", closed_early),
        Scenario("... by another user", closed_early, Setting(BOTH, shares=False)),
        Scenario("an assigned task", assigned),
        Scenario("an assigned task and a copied prompt", assigned_and_reused),
        Scenario("movedFrom meets a record", moved_to_a_known_key),
        Scenario("a guessed reference", guessed),
        Scenario("no references", without_references, Setting(ALICE, text="cut")),
    )
}
