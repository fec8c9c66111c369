"""People, repositories and one service: random stories, and what must be true in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from tests.model.process import Counted, Entry, Killed, Process, Repository
from tests.model.rules import Rules
from tests.model.service import STRANGER, Assumed, Chooser, Service, Task
from tests.model.values import SETTLE, Attempt, Key, State

NAMES = ("a", "b", "c")


class Calm:
    """Nothing goes wrong."""

    def fault(self, name: str, *options: str) -> str:
        return ""

    def pick(self, count: int) -> int:
        return 0


@dataclass(frozen=True)
class Setting:
    """What there is in a world. `text`: see `Service`."""

    users: tuple[str, ...] = ("alice",)
    repositories: int = 1
    orgs: tuple[str, ...] = ("acme",)
    shares: bool = True
    text: str = "kept"
    skew: int = 0
    assumed: Assumed = field(default_factory=Assumed)


class World:
    """`allowed`: how many requests may create tasks for each job. `wished`: the tasks that a person
    wants to be replaced. `forgotten`: the tasks that a person wants to be forgotten. `wrong`: what
    was first found to be wrong after an apply."""

    def __init__(self, setting: Setting, chooser: Chooser, rules: Rules) -> None:
        self.setting, self.assumed, self.chooser = setting, setting.assumed, chooser
        self.rules = rules
        self.service = Service(chooser, self.assumed, setting.text, setting.skew)
        self.repos = [Repository(shares=setting.shares) for _ in range(setting.repositories)]
        self.copies: dict[int, State] = {}
        self.left: list[dict[Key, Entry]] = [{} for _ in self.repos]
        self.frozen: set[str] = set()
        self.allowed: dict[str, int] = {}
        self.wished: set[str] = set()
        self.forgotten: set[str] = set()
        self.counted = Counted()
        self.log: list[str] = []
        self.wrong = ""
        self._states = self._jobs = self._edits = 0

    # Processes

    def process(self, repo: Repository, user: str) -> Process:
        return Process(repo, self.service, user, self.rules, self.counted)

    def attempt(self, act: Callable[[], object]) -> bool:
        """Whether a process ended by itself."""
        try:
            act()
        except Killed:
            self.counted.kills += 1
            return False
        return True

    @contextmanager
    def calm(self) -> Iterator[None]:
        calm, self.service.chooser = Calm(), self.service.chooser
        self.service.chooser, before = calm, self.service.chooser
        try:
            yield
        finally:
            self.service.chooser = before

    def new_state(self, repo: Repository, *, is_new: bool) -> None:
        self._states += 1
        state = f"s{self._states}"
        repo.ids.append(state)
        repo.storage.begin(State((state,), self.service.now, is_new=is_new))

    def apply(
        self,
        repo: Repository,
        user: str,
        names: set[Key] | None = None,
        retried: Mapping[Key, str] | None = None,
    ) -> Process | None:
        """None if it was killed. The first full apply after a loss ends its conditions."""
        process = self.process(repo, user)
        ended = self.attempt(lambda: process.apply(names, retried))
        self.wrong = self.wrong or self.violation()
        if not ended:
            return None
        decisions = process.decisions.values()
        if names is None and all(d.is_free and d.baseline is not None for d in decisions):
            repo.firsts.clear()
        return process

    def may_apply(self, repo: Repository) -> list[str]:
        return [user for user in self.setting.users if not repo.firsts or user in repo.firsts]

    # Manifests

    def add(self, repo: Repository, key: Key) -> None:
        self._jobs += 1
        job = f"job{self._jobs}"
        self.allowed[job] = 1
        repo.entries[key] = Entry(job, self._prompt(job))

    def _prompt(self, job: str) -> str:
        self._edits += 1
        return f"{job} v{self._edits}"

    def edit(self, repo: Repository, key: Key) -> None:
        entry, state = repo.entries[key], repo.storage.state
        keys = {*state.records, *(a.key for a in state.attempts.values())} if state else set()
        if entry.job not in self.frozen or key in keys:
            repo.entries[key] = replace(entry, prompt=self._prompt(entry.job))

    def is_unused(self, repo: Repository, key: Key) -> bool:
        """Whether a name may be used for another job."""
        state, left = repo.storage.state, self.left[self.repos.index(repo)]
        moved_from = {entry.moved_from for entry in repo.entries.values()}
        if key in {*repo.entries, *repo.removed, *left, *moved_from} or repo.firsts:
            return False
        if state is None:
            return not repo.ids
        attempts = {attempt.key for attempt in state.attempts.values()}
        known, ours = state.knows(), set(repo.ids)
        tasks = (t for t in self.service.tasks if t.ref and t.ref.state in ours)
        unknown = (t for t in tasks if t.ref and t.ref.name == key.name and t.id not in known)
        copies = {k for each in self._versions(repo) for k in each.records}
        is_free = key not in state.records and key not in attempts and not any(unknown)
        return is_free and (key not in copies or not self._is_copied(repo))

    def _is_copied(self, repo: Repository) -> bool:
        return self.repos.index(repo) in self.copies

    def _versions(self, repo: Repository) -> list[State]:
        copy = self.copies.get(self.repos.index(repo))
        return [copy] if copy is not None else []

    def rename(self, repo: Repository, old: Key, new: Key, *, declared: bool) -> None:
        entry = repo.entries.pop(old)
        repo.entries[new] = replace(entry, moved_from=old if declared else None)
        if not declared:
            self.frozen.add(entry.job)

    def may_rename_silently(self, repo: Repository, key: Key) -> bool:
        """Without `movedFrom`, a rename is recognized by an unchanged prompt."""
        state, entry = repo.storage.state, repo.entries[key]
        if state is None or repo.firsts:
            return False
        record = state.records.get(key)
        prompts = {record.prompt} if record is not None else set()
        prompts |= {a.prompt for a in state.attempts.values() if a.key == key}
        tasks = {task.id for task in self.service.tasks if task.job == entry.job}
        return prompts == {entry.prompt} or (not prompts and not tasks)

    def wish(self, task: Task) -> None:
        if task.id not in self.wished:
            self.wished.add(task.id)
            self.allowed[task.job] += 1

    # The truth

    def tasks_of(self, repo: Repository, job: str) -> list[Task]:
        return [t for t in self.service.of_job(job) if t.id not in self.forgotten]

    def jobs(self, repo: Repository) -> dict[str, Key]:
        return {entry.job: key for key, entry in repo.entries.items()}

    def who_sees_all(self, repo: Repository) -> set[str]:
        """The users who see all tasks that this repository has created."""
        ours = [t for t in self.service.tasks if t.job and t.exists(self.service.now)]
        ours = [t for t in ours if t.ref is None or t.ref.state in repo.ids]
        return {u for u in self.setting.users if all(self.service.sees(u, t) for t in ours)}

    def current(self, repo: Repository, job: str) -> Task | None:
        """The task that is the job's now: of its last request, the one that was committed first."""
        tasks = self.tasks_of(repo, job)
        last = max((t.request for t in tasks), default=0)
        of_last = [t for t in tasks if t.request == last]
        return min(of_last, key=lambda t: (t.commits_at, t.id), default=None)

    def violation(self) -> str:
        requests: dict[str, set[int]] = {}
        for task in self.service.tasks:
            if task.job:
                requests.setdefault(task.job, set()).add(task.request)
        for job, found in requests.items():
            if len(found) > self.allowed[job]:
                return f"{job} has {len(found)} tasks instead of {self.allowed[job]}"
        for repo in self.repos:
            state = repo.storage.state
            for key, record in state.records.items() if state is not None else ():
                entry = repo.entries.get(key)
                if entry is not None and self.service.find(record.task).job != entry.job:
                    return f"{key.name} has another's task {record.task}"
        return ""

    def unfinished(self) -> str:
        """What is missing after a calm end."""
        for repo in self.repos:
            state = repo.storage.state
            for key in repo.entries:
                if state is None or key not in state.records:
                    return f"{key.name} has no task"
        return ""

    # What people do after a loss

    def lost_ids(self, repo: Repository) -> list[str]:
        """The earlier states of a repository that have tasks of its jobs."""
        state = repo.storage.state
        assert state is not None
        tasks = (t for t in self.service.tasks if t.job and t.exists(self.service.now))
        shown = {task.ref.state for task in tasks if task.ref}
        return [i for i in repo.ids if i not in state.ids and i in shown]

    def answer(self, repo: Repository, user: str) -> bool:
        """A person continues the lost states, or says that there is none, and repeats what got
        lost. False if that is not complete. Nobody confirms the tasks of strangers, or copies in
        other organizations: the person dismisses them first."""
        state = repo.storage.state
        assert state is not None
        lost = self.lost_ids(repo)
        if not self.assumed.answers_are_right and lost and self.chooser.pick(2):
            lost = []
        if not lost and not repo.is_halved:
            return self.attempt(self.process(repo, user).new)
        genuine = {(t.org, t.ref) for t in self.service.tasks if t.job}
        for task in self.service.tasks:
            is_foreign = task.login == STRANGER or (task.org, task.ref) not in genuine
            is_theirs = task.ref is not None and task.ref.state in {*lost, *state.ids}
            if is_theirs and is_foreign and task.id not in state.dismissed:
                with self.calm():
                    self.process(repo, user).dismiss(task.id)
        orgs = {*repo.orgs(), *self.setting.orgs}
        for other in lost:
            done = list[bool]()
            process = self.process(repo, user)
            ended = self.attempt(lambda: done.append(process.continues(other, orgs)))  # noqa: B023
            if not ended or not all(done):
                repo.is_halved = repo.is_halved or len(self._state(repo).ids) > 1
                return False
        self.repeat(repo, user)
        repo.is_halved = False
        return True

    def repeat(self, repo: Repository, user: str) -> None:
        """After a loss, a person repeats renames without `movedFrom`, removals and assignments."""
        if not self.assumed.repeats_renames_and_assignments:
            return
        with self.calm():
            self._repeat_moves(repo, user)
            for key, entry in repo.entries.items():
                self._repeat_assignment(repo, user, key, entry)
            self._repeat_removals(repo, user)

    def _state(self, repo: Repository) -> State:
        assert repo.storage.state is not None
        return repo.storage.state

    def _repeat_moves(self, repo: Repository, user: str) -> None:
        jobs = self.jobs(repo)
        for _ in range(2 * len(NAMES)):
            for key, record in self._state(repo).records.items():
                job = self.service.find(record.task).job
                goal, entry = jobs.get(job), repo.entries.get(key)
                if goal == key or (goal is None and entry is None):
                    continue
                if goal is not None and repo.entries[goal].moved_from == key:
                    continue
                is_free = goal not in self._state(repo).records
                if goal is not None and goal.org == key.org and is_free:
                    self.process(repo, user).move(key, goal)
                    break
                if entry is not None and entry.job != job:
                    self.process(repo, user).forget(key)
                    break

    def _repeat_assignment(self, repo: Repository, user: str, key: Key, entry: Entry) -> None:
        state, task = self._state(repo), self.current(repo, entry.job)
        if task is None or not self.service.sees(user, task):
            return
        record = state.records.get(key)
        names = {key.name, entry.moved_from.name if entry.moved_from else ""}
        if record is not None and self.service.find(record.task).job == entry.job:
            is_found = task.ref is not None and task.ref.name in names
            if record.task == task.id:
                return
            if task.id not in state.former and (is_found or task.id in state.dismissed):
                return  # in the history, it was created by a state that continued this one
        holder = state.recorded().get(task.id)
        if holder is not None and holder == entry.moved_from:
            return
        is_ours = state.is_ours(task.ref) and task.id not in state.knows()
        if is_ours and task.ref and task.ref.name in names and not record:
            return
        if any(a.ref == task.ref for a in state.attempts.values()):
            return
        self.process(repo, user).assign(key, task.id)

    def _repeat_removals(self, repo: Repository, user: str) -> None:
        for task in self.service.tasks:
            state = self._state(repo)
            if not task.ref or not state.is_ours(task.ref) or task.id in state.knows():
                continue
            key = Key(task.org, task.ref.name)
            entry = repo.entries.get(key)
            moved = {e.moved_from: e for e in repo.entries.values() if e.moved_from}
            entry = entry or moved.get(key)
            jobs = {t.job for t in self.service.tasks if t.ref == task.ref and t.job}
            is_other = entry is not None and jobs != {entry.job}
            if is_other and task.exists(self.service.now):
                self.process(repo, user).dismiss(task.id)

    # What people do about problems

    def solve(self, repo: Repository, user: str) -> None:
        """Applies, and follows the advice about what is unresolved."""
        if repo.storage.state is None:
            self.new_state(repo, is_new=not repo.ids)
        if repo.is_halved and not self.answer(repo, user):
            return
        process = self.apply(repo, user)
        if process is None:
            return
        for decision in process.decisions.values():
            if decision.question:
                self.answer(repo, user)
                return
        for decision in process.decisions.values():
            for task_id in sorted(decision.blocks):
                self._unblock(repo, user, task_id)
        for decision in process.decisions.values():
            for number, why in decision.open.items():
                is_early = why == "settling" and bool(self.chooser.pick(2))
                if why in ("other identity", "silent") or is_early:
                    self._settle(repo, user, number, is_early=is_early)
        self._move_orphans(repo, user)

    def _unblock(self, repo: Repository, user: str, task_id: str) -> None:
        task, jobs = self.service.find(task_id), self.jobs(repo)
        state = self._state(repo)
        if task_id in state.knows() or self.service.message(task_id) is None:
            return
        if task.ref is not None and task.ref.state in {*repo.ids} - {*state.ids} and task.job:
            return  # of a lost state
        if not task.job or (task.ref is not None and not state.is_ours(task.ref)):
            self.attempt(lambda: self.process(repo, user).dismiss(task_id))
            return
        key, current = jobs.get(task.job), self.current(repo, task.job)
        if key is None or current is None or current.id != task_id:
            if task.id in self.forgotten or (current is not None and current.id != task_id):
                self.attempt(lambda: self.process(repo, user).dismiss(task_id))
            return
        self.attempt(lambda: self.process(repo, user).assign(key, task_id))

    def _settle(self, repo: Repository, user: str, number: int, *, is_early: bool) -> None:
        """A person looks for the task of an attempt, and names it or says that there is none."""
        state = self._state(repo)
        attempt = state.attempts.get(number)
        if attempt is None:
            return
        job = attempt.prompt.partition(" ")[0]
        known = state.knows()
        found = [t for t in self.tasks_of(repo, job) if t.id not in known]
        if found:
            first = min(found, key=lambda t: (t.commits_at, t.id))
            self.attempt(lambda: self.process(repo, user).assign(attempt.key, first.id))
        elif attempt.login == user or not self._is_coming(attempt):
            self.attempt(lambda: self.process(repo, user).close(attempt.key, is_early=is_early))

    def _is_coming(self, attempt: Attempt) -> bool:
        """Whether an attempt's task commits later. Its user has to see that, so another one waits
        before giving an answer."""
        job, now = attempt.prompt.partition(" ")[0], self.service.now
        return any(t.job == job and t.commits_at > now for t in self.service.tasks)

    def _move_orphans(self, repo: Repository, user: str) -> None:
        state, jobs = self._state(repo), self.jobs(repo)
        for key, record in state.records.items():
            goal = jobs.get(self.service.find(record.task).job)
            if key in repo.entries or goal is None or goal in state.records:
                continue
            if repo.entries[goal].moved_from is None:
                self.attempt(partial(self.process(repo, user).move, key, goal))
                return
        for attempt in state.attempts.values():
            goal = jobs.get(attempt.prompt.partition(" ")[0])
            if attempt.key in repo.entries or goal is None or goal in state.records:
                continue
            if repo.entries[goal].moved_from is None:
                self.attempt(partial(self.process(repo, user).move, attempt.key, goal))
                return

    def calm_end(self) -> str:
        """What is missing after people have followed all advice."""
        with self.calm():
            for _ in range(6):
                for repo in self.repos:
                    self.service.now += SETTLE + 2
                    for user in self.may_apply(repo):
                        self.solve(repo, user)
                        if wrong := self.violation():
                            return wrong
        return self.unfinished()
