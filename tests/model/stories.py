"""Random stories: what happens next in a world is chosen at random, as far as it is within the
assumptions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tests.model.process import Counted, Repository
from tests.model.rules import Rules
from tests.model.service import STRANGER, Assumed, RandomChooser, Task
from tests.model.values import SETTLE, Key, Ref
from tests.model.world import NAMES, Setting, World

T = TypeVar("T")


@dataclass(frozen=True)
class Told:
    """A story: what was `wrong` in the end, and what happened."""

    wrong: str
    log: tuple[str, ...]
    counted: Counted

    def __str__(self) -> str:
        return "\n".join((self.wrong, *self.log))


class Story:
    """The things that may happen."""

    def __init__(self, world: World, often_too: Collection[str] = ()) -> None:
        self._world, self._service, self._chooser = world, world.service, world.chooser
        setting = world.setting
        often = [self._apply] * 6 + [self._solve] * 2 + [self._time] * 3 + [self._add] * 2
        self._acts: list[Callable[[Repository], str]] = [
            *often,
            self._apply_some,
            self._edit,
            self._rename,
            self._finish_rename,
            self._leave,
            self._return,
            self._remove,
            self._forget,
            self._retry,
            self._retry,
            self._delete,
            self._work_by_hand,
        ]
        if setting.text == "kept":
            self._acts += [
                self._lose,
                self._lose_file,
                self._restore,
                self._restore,
                self._push_edited,
                self._copy,
                self._swap,
                self._copy_prompt,
                self._copy_prompt,
                self._write_reference,
            ]
        if setting.repositories > 1 and setting.text == "kept":
            self._acts += [self._merge, self._absorb]
        self._acts += [act for act in self._acts if act.__name__[1:] in often_too] * 4

    def step(self) -> None:
        world = self._world
        repo = self._one(world.repos)
        done = self._one(self._acts)(repo)
        if done:
            world.log.append(f"{world.service.now}, repo {world.repos.index(repo)}: {done}")

    def _one(self, known: Sequence[T]) -> T:
        return known[self._chooser.pick(len(known))]

    def _is_likely(self) -> bool:
        return bool(self._chooser.pick(2))

    # Taskctl

    def _user(self, repo: Repository) -> str:
        may = self._world.may_apply(repo)
        if not self._world.assumed.sees_the_tasks_after_a_loss:
            may = list(self._world.setting.users)
        return self._one(may)

    def _is_ready(self, repo: Repository) -> bool:
        """A lost state is continued before an apply, or begins without an answer."""
        world, user = self._world, self._user(repo)
        if not repo.entries:
            return False
        if repo.storage.state is None:
            was_lost = bool(repo.ids)
            world.new_state(repo, is_new=not was_lost and self._is_likely())
            if was_lost and self._is_likely():
                world.answer(repo, user)
        elif repo.is_halved:
            world.answer(repo, user)
        return not repo.is_halved

    def _apply(self, repo: Repository) -> str:
        if not self._is_ready(repo):
            return ""
        user = self._user(repo)
        self._world.apply(repo, user)
        return f"apply by {user}"

    def _apply_some(self, repo: Repository) -> str:
        if not self._is_ready(repo):
            return ""
        user, key = self._user(repo), self._one(sorted(repo.entries))
        self._world.apply(repo, user, {key})
        return f"apply --target {key.name} by {user}"

    def _solve(self, repo: Repository) -> str:
        if not self._is_ready(repo):
            return ""
        user = self._user(repo)
        self._world.solve(repo, user)
        return f"{user} solves problems"

    def _retry(self, repo: Repository) -> str:
        if not self._is_ready(repo):
            return ""
        state, user = repo.storage.state, self._user(repo)
        keys = sorted(k for k in repo.entries if state is not None and k in state.records)
        if not keys or state is None:
            return ""
        key = self._one(keys)
        task = self._service.find(state.records[key].task)
        if task.job != repo.entries[key].job:
            return ""
        self._world.wish(task)
        for _ in range(1 + self._chooser.pick(2)):
            self._world.apply(repo, user, {key} if self._is_likely() else None, {key: task.id})
        return f"{user} replaces {task.id} of {key.name}"

    # Manifests

    def _key(self, repo: Repository) -> Key:
        return Key(self._one(self._world.setting.orgs), self._one(NAMES))

    def _declared(self, repo: Repository) -> Key | None:
        return self._one(sorted(repo.entries)) if repo.entries else None

    def _add(self, repo: Repository) -> str:
        key = self._key(repo)
        if not self._world.is_unused(repo, key):
            return ""
        self._world.add(repo, key)
        return f"add {key.name}, {repo.entries[key].job}"

    def _edit(self, repo: Repository) -> str:
        key = self._declared(repo)
        if key is None:
            return ""
        self._world.edit(repo, key)
        return f"edit {key.name}"

    def _rename(self, repo: Repository) -> str:
        old, declared = self._declared(repo), self._is_likely()
        if old is None or repo.entries[old].moved_from is not None:
            return ""
        new = Key(old.org, self._one(NAMES))
        if not self._world.is_unused(repo, new):
            return ""
        if not declared and not self._world.may_rename_silently(repo, old):
            return ""
        if repo.entries[old].job in self._world.frozen:
            return ""
        self._world.rename(repo, old, new, declared=declared)
        return f"rename {old.name} to {new.name}, movedFrom: {declared}"

    def _finish_rename(self, repo: Repository) -> str:
        state = repo.storage.state
        for key, entry in repo.entries.items():
            if entry.moved_from is None or state is None or repo.firsts or repo.is_halved:
                continue
            attempted = {attempt.key for attempt in state.attempts.values()}
            if key in state.records and entry.moved_from not in {*attempted, *state.records}:
                repo.entries[key] = replace(entry, moved_from=None)
                return f"delete the movedFrom of {key.name}"
        return ""

    def _leave(self, repo: Repository) -> str:
        key = self._declared(repo)
        if key is None or repo.entries[key].moved_from is not None:
            return ""
        self._world.left[self._world.repos.index(repo)][key] = repo.entries.pop(key)
        return f"{key.name} leaves"

    def _return(self, repo: Repository) -> str:
        left = self._world.left[self._world.repos.index(repo)]
        if not left:
            return ""
        key = self._one(sorted(left))
        repo.entries[key] = left.pop(key)
        return f"{key.name} is back"

    def _remove(self, repo: Repository) -> str:
        """`removed:`, until the record is gone."""
        state, key = repo.storage.state, self._declared(repo)
        if repo.firsts or state is None or repo.is_halved:
            return ""
        attempted = {attempt.key for attempt in state.attempts.values()}
        done = repo.removed - state.records.keys() - attempted
        if done:
            repo.removed -= done
            return "removed: is empty"
        if key is None or key not in state.records or repo.entries[key].moved_from is not None:
            return ""
        self._world.forgotten.add(state.records[key].task)
        del repo.entries[key]
        repo.removed.add(key)
        return f"removed: {key.name}"

    def _forget(self, repo: Repository) -> str:
        """`state rm`: the next apply creates another task."""
        state, key = repo.storage.state, self._declared(repo)
        if repo.firsts or state is None or key is None or repo.is_halved:
            return ""
        if key not in state.records:
            return ""
        task = self._service.find(state.records[key].task)
        if task.job != repo.entries[key].job or task.id in self._world.forgotten:
            return ""
        user = self._user(repo)
        if not self._world.attempt(lambda: self._world.process(repo, user).forget(key)):
            return ""
        self._world.forgotten.add(task.id)
        self._world.allowed[task.job] += 1
        return f"state rm {key.name}"

    # Time, the service and other people

    def _time(self, repo: Repository) -> str:
        self._service.now += 1 + self._chooser.pick(SETTLE + 2)
        if not self._world.assumed.keeps_the_text and self._is_likely():
            self._service.text = "cut"
        return "time passes"

    def _old(self) -> list[Task]:
        now = self._service.now
        return [t for t in self._service.tasks if t.exists(now) and t.sent_at + SETTLE < now]

    def _delete(self, repo: Repository) -> str:
        """Somebody deletes a task that no repository cares for."""
        old = [task for task in self._old() if not task.job]
        if old:
            self._one(old).is_deleted = True
        return "somebody deletes a task" if old else ""

    def _copy_prompt(self, repo: Repository) -> str:
        """A user copies a prompt, with its last line, from the console."""
        users = self._world.setting.users
        forgotten = self._world.forgotten
        genuine = {t.ref for t in self._service.tasks if t.job and t.id not in forgotten}
        old = [t for t in self._old() if t.ref in genuine and t.login != STRANGER]
        seen = [t for t in old if all(self._service.sees(each, t) for each in users)]
        user = self._one(users)
        if not seen:
            return ""
        task, org = self._one(seen), self._one(self._world.setting.orgs)
        return self._by_hand(user, org, task.ref, f"the prompt of {task.id}")

    def _work_by_hand(self, repo: Repository) -> str:
        """People create tasks in the console."""
        user = self._one((*self._world.setting.users, STRANGER))
        for _ in range(1 + self._chooser.pick(4)):
            self._by_hand(user, self._one(self._world.setting.orgs), None, "a prompt")
        return f"{user} works by hand"

    def _write_reference(self, repo: Repository) -> str:
        """A member of the organization guesses a reference."""
        if not repo.ids:
            return ""
        counter = repo.storage.state.counter if repo.storage.state else 0
        number, org = 1 + self._chooser.pick(counter + 3), self._one(self._world.setting.orgs)
        ref = Ref(self._one(NAMES), number, self._one(repo.ids))
        return self._by_hand(STRANGER, org, ref, f"{ref.name}/{number}")

    def _by_hand(self, user: str, org: str, ref: Ref | None, what: str) -> str:
        now = self._service.now
        self._service.requests += 1
        task = Task(
            f"t{len(self._service.tasks):03}",
            org,
            user,
            "",
            self._service.requests,
            ref,
            "by hand",
            now,
            now,
            now,
            now,
            is_shared=True,
        )
        self._service.tasks.append(task)
        return f"{user} writes {what} as {task.id} in {org}"

    # The storage

    def _may_lose(self, repo: Repository) -> bool:
        """Whether a state may be lost or set back now; names who may apply first."""
        world, state = self._world, repo.storage.state
        if state is None or repo.is_halved:
            return False
        if self._service.in_flight() and world.assumed.nothing_is_in_flight_at_a_loss:
            return False
        firsts = world.who_sees_all(repo)
        if repo.firsts:
            firsts &= repo.firsts
        if not firsts and world.assumed.sees_the_tasks_after_a_loss:
            return False
        repo.firsts = firsts
        return True

    def _lose(self, repo: Repository) -> str:
        if not self._may_lose(repo):
            return ""
        repo.storage.lose()
        self._world.counted.losses += 1
        return "the state is lost"

    def _lose_file(self, repo: Repository) -> str:
        state = repo.storage.state
        if state is None or repo.storage.saved == state or not self._may_lose(repo):
            return ""
        has = self._world.rules.has("journal: no baselines without the file")
        repo.storage.lose_file(keeps_baselines=not has)
        self._world.counted.losses += 1
        self._set_back(repo)
        return "the state is lost, but for its journal"

    def _restore(self, repo: Repository) -> str:
        older = repo.storage.older
        if not older or not self._may_lose(repo):
            return ""
        repo.storage.restore(self._one(older), with_journal=self._is_likely())
        self._set_back(repo)
        return f"an older state is restored: {sorted(k.name for k in self._known(repo))}"

    def _known(self, repo: Repository) -> list[Key]:
        return list(repo.storage.state.records) if repo.storage.state is not None else []

    def _set_back(self, repo: Repository) -> None:
        """A person repeats what the state does not know any more."""
        world, state = self._world, repo.storage.state
        world.counted.restores += 1
        assert state is not None
        if world.lost_ids(repo) and (len(state.ids) > 1 or state.explained or state.is_new):
            repo.is_halved = True
            return
        world.repeat(repo, self._user(repo))

    def _push_edited(self, repo: Repository) -> str:
        """A person deletes a record from the file, or all its history, and pushes it."""
        known = self._known(repo)
        if not known or not self._may_lose(repo):
            return ""
        key, state = self._one(sorted(known)), repo.storage.state
        assert state is not None
        records, former = dict(state.records), dict(state.former)
        if self._is_likely():
            del records[key]
        else:
            gone = self._world.forgotten
            former = {i: each for i, each in former.items() if i in gone}
        has = self._world.rules.has("baseline: dropped by push")
        baselines = {} if has else state.baselines
        pushed = replace(state, records=records, former=former, baselines=baselines)
        repo.storage.begin(pushed)
        self._set_back(repo)
        return f"a state without {key.name}, or without history, is pushed"

    def _copy(self, repo: Repository) -> str:
        state = repo.storage.state
        if state is None or self._service.in_flight() or repo.storage.saved != state:
            return ""
        self._world.copies[self._world.repos.index(repo)] = state
        return "the state is copied"

    def _swap(self, repo: Repository) -> str:
        """The copy is used from now on, and this state is the copy."""
        number, world = self._world.repos.index(repo), self._world
        copy, state = world.copies.get(number), repo.storage.state
        if copy is None or state is None:
            return ""
        if not self._may_lose(repo) and world.assumed.copies_take_turns:
            return ""
        world.copies[number] = state
        repo.storage.begin(copy)
        self._set_back(repo)
        return "the other copy of the state is used"

    def _absorb(self, repo: Repository) -> str:
        """A repository with a state takes the tasks of another one, whose state is given up."""
        world = self._world
        first, second = world.repos[0], world.repos[1]
        if first.storage.state is None or not self._may_join(first, second):
            return ""
        first.entries.update(second.entries)
        second.entries.clear()
        first.ids += second.ids
        second.ids.clear()
        second.storage.lose()
        world.copies.clear()
        first.storage.older.clear()
        first.firsts, second.firsts, first.is_halved = world.who_sees_all(first), set(), True
        world.answer(first, self._user(first))
        return "a state continues that of the other repository"

    def _may_join(self, first: Repository, second: Repository) -> bool:
        if not second.entries or any(not self._may_lose(each) for each in (first, second)):
            return False
        if {*first.removed, *second.removed} or any(self._world.left):
            return False
        who_sees = self._world.who_sees_all
        is_seen = bool(who_sees(first) & who_sees(second))
        if not is_seen and self._world.assumed.sees_the_tasks_after_a_loss:
            return False
        return not self._names(first) & self._names(second)

    def _names(self, repo: Repository) -> set[Key]:
        """The keys of a repository, also those that only its state knows: a key that is renamed
        silently."""
        state, moved = repo.storage.state, {entry.moved_from for entry in repo.entries.values()}
        attempts = state.attempts.values() if state is not None else ()
        keys = {*repo.entries, *moved, *self._known(repo), *(each.key for each in attempts)}
        return {key for key in keys if key is not None}

    def _merge(self, repo: Repository) -> str:
        """Both states are lost, and one repository takes the tasks of the other."""
        world = self._world
        first, second = world.repos[0], world.repos[1]
        if not self._may_join(first, second):
            return ""
        first.entries.update(second.entries)
        second.entries.clear()
        first.ids += second.ids
        second.ids.clear()
        for each in (first, second):
            each.storage.lose()
        world.copies.clear()
        first.firsts, second.firsts = world.who_sees_all(first), set()
        world.counted.losses += 2
        return "two states are lost and merged"


@dataclass(frozen=True)
class Kind:
    """A kind of random story."""

    name: str
    setting: Setting
    share: float = 0.08
    steps: int = 25
    often: tuple[str, ...] = ()


ALICE, BOTH = ("alice",), ("alice", "bob")
KINDS = (
    Kind("one user", Setting()),
    Kind("one user, few faults", Setting(), share=0.02, steps=40),
    Kind("many faults", Setting(), share=0.25),
    Kind("two users, shared tasks", Setting(BOTH)),
    Kind("two users, private tasks", Setting(BOTH, shares=False)),
    Kind("two repositories", Setting(ALICE, repositories=2), steps=40),
    Kind("two repositories, two users", Setting(BOTH, repositories=2), steps=40),
    Kind("two organizations", Setting(BOTH, orgs=("acme", "beta"))),
    Kind("a clock that is ahead", Setting(skew=9)),
    Kind("a clock that is late", Setting(BOTH, skew=-9)),
    Kind("copied prompts", Setting(BOTH), 0.15, often=("copy_prompt", "lose", "push_edited")),
    Kind(
        "renames", Setting(), 0.1, 40, ("rename", "finish_rename", "retry", "edit", "copy_prompt")
    ),
    Kind(
        "states set back",
        Setting(BOTH),
        0.1,
        40,
        ("restore", "push_edited", "retry", "copy", "swap"),
    ),
    Kind("lost states", Setting(), 0.1, 40, ("lose", "lose_file", "retry", "push_edited")),
    Kind(
        "joined states", Setting(BOTH, repositories=2), 0.1, 40, ("absorb", "merge", "push_edited")
    ),
    Kind("work by hand", Setting(BOTH), 0.15, 40, ("work_by_hand", "lose", "push_edited")),
    Kind("no references", Setting(BOTH, text="cut")),
    Kind("no references, two organizations", Setting(ALICE, orgs=("acme", "beta"), text="cut")),
)


def tell(kind: Kind, seed: int, rules: Rules, assumed: Assumed | None = None) -> Told:
    """A random story."""
    setting = replace(kind.setting, assumed=assumed or kind.setting.assumed)
    chooser = RandomChooser(f"{kind.name} {seed}", kind.share)
    world = World(setting, chooser, rules)
    chooser.log = world.log
    story = Story(world, kind.often)
    wrong = ""
    for _ in range(kind.steps):
        story.step()
        if wrong := world.violation():
            break
    else:
        wrong = world.calm_end()
    return Told(wrong, tuple(world.log), world.counted)
