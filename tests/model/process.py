"""What a process does: it reads, explains, records, creates; and the commands of people.

A process may be killed before each of its writes (`Killed`), and after the last one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from tests.model.rules import DECIDING, Rules, applied, newest, retired, with_baseline
from tests.model.service import Service
from tests.model.storage import Storage
from tests.model.values import (
    CHUNK,
    SETTLE,
    WINDOW,
    Attempt,
    Decision,
    Facts,
    Former,
    Key,
    Listed,
    Message,
    Record,
    Ref,
    State,
)

DOING = {
    "create: attempts": "nothing is created for a key with an open attempt",
    "create: attempts of a former key": "... nor of the key in its movedFrom",
    "create: orphans": "nothing is created beside an orphan with this prompt",
    "create: orphans' attempts": "... nor beside an open attempt of a key that left",
    "journal first": "an attempt is journaled before it is sent",
    "number per send": "each send takes the next number",
    "records before baseline": "the baseline moves after the records are written",
    "baseline before create": "the baseline is saved before a create is journaled",
    "baseline: own identity": "a baseline proves nothing for another identity",
    "baseline: dropped by push": "a pushed state has no baselines",
    "journal: no baselines without the file": "a journal without its file has no baselines",
    "advance: not past records": "an unfinished reading passes no task that is to be recorded",
    "read: not limited": "a target does not limit what is read",
    "read: young": "a young task without a message is unreadable",
    "window": "another process adds the window to an attempt's age",
    "age: waiting": "only journaled waiting counts, and no clock of another machine",
    "response: new ID": "a response with a known ID proves nothing",
    "horizon: when the state began": "a new state reads what was created since it began",
    "horizon: not of continued states": "a state that continues another one reads everything",
    "continue: users": "confirming makes the creators users",
    "continue: everything": "continuing reads everything",
    "continue: refused": "continuing is refused while a task is unreadable",
    "continue: other baselines": "continuing drops the baselines of others",
    "close: waits": "closing an attempt waits for the rest of its age",
    "close: looks again": "... and then looks for its reference",
    "assign: number": "an assigned record takes the next number",
    "assign: reference": "an assigned record keeps the task's reference",
    "forget: known": "the task of a forgotten key stays known",
    "move: attempts": "moving a key moves its open attempts",
    "move: higher stays": "if movedFrom meets a record, the higher number stays",
}
RULES = {**DECIDING, **DOING}


class Killed(Exception):  # noqa: N818
    """The process was killed."""


@dataclass(frozen=True)
class Entry:
    """A declared task."""

    job: str
    prompt: str
    moved_from: Key | None = None


@dataclass
class Repository:
    """`removed`: the keys under `removed:`. `ids`: the IDs of its states so far. `firsts`: after a
    loss, the users who may apply first. `is_halved`: a person has answered a part of what was lost,
    and answers the rest before anybody applies."""

    storage: Storage = field(default_factory=Storage)
    entries: dict[Key, Entry] = field(default_factory=dict)
    removed: set[Key] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)
    shares: bool = False
    firsts: set[str] = field(default_factory=set)
    is_halved: bool = False

    def orgs(self) -> list[str]:
        return sorted({key.org for key in (*self.entries, *self.removed)})


@dataclass
class Counted:
    """What stories have run."""

    applies: int = 0
    creates: int = 0
    kills: int = 0
    losses: int = 0
    restores: int = 0
    explained: int = 0


class Process:
    """One run of taskctl, which holds the lock."""

    _runs = 0

    def __init__(
        self, repo: Repository, service: Service, user: str, rules: Rules, counted: Counted
    ) -> None:
        Process._runs += 1
        self.run = Process._runs
        self._repo, self._service, self._user, self._rules = repo, service, user, rules
        self._has, self._chooser, self._counted = rules.has, service.chooser, counted
        self._machine = 2 * SETTLE * service.chooser.pick(2)
        self._began, self._ended = service.now, dict[int, int]()
        self.created: list[str] = []
        self.decisions: dict[str, Decision] = {}
        assert repo.storage.state is not None
        self.state: State = repo.storage.state
        self._before = {n: attempt.waited for n, attempt in self.state.attempts.items()}

    # Writes

    def _write(self, state: State) -> None:
        if self._chooser.fault("the process", "is killed"):
            raise Killed
        self.state = state
        self._repo.storage.write(state)

    def _close(self) -> None:
        waited = {n: replace(a, waited=self._waited(n, a)) for n, a in self.state.attempts.items()}
        if waited != self.state.attempts:
            self._write(replace(self.state, attempts=waited))
        if self._chooser.fault("the process", "is killed"):
            raise Killed
        self._repo.storage.save()

    # Reads

    def _waited(self, number: int, attempt: Attempt) -> int:
        if number in self._ended:
            return max(attempt.waited, self._service.now - self._ended[number])
        if not self._has("age: waiting"):
            return self._service.now + self._machine - attempt.started
        return self._before.get(number, 0) + self._service.now - self._began

    def _ages(self) -> Mapping[int, tuple[int, int]]:
        window = WINDOW if self._has("window") else 0
        return {
            number: (
                self._waited(number, attempt),
                SETTLE + (0 if number in self._ended else window),
            )
            for number, attempt in self.state.attempts.items()
        }

    def _read(self, org: str, *, everything: bool = False, names: Collection[str] = ()) -> Facts:
        """`names`: a broken rule reads only tasks that name these keys."""
        state, service = self.state, self._service
        stop = frozenset[str]() if everything else self._rules.stop(state, org, self._user)
        horizon = None if stop or everything else self._rules.horizon(state, service.now)
        checked = self._checked(org, everything=everything)
        listed = list[Listed]()
        for task in service.list_tasks(self._user, org, checked):
            if horizon is not None and task.created < horizon:
                break
            listed.append(task)
            if task.id in stop:
                break
        now = service.now + service.skew
        should = self._should(org, tuple(listed), now)
        shown = {task.id for task in listed}
        lacking = {i: service.get(self._user, i) for i in dict.fromkeys(should) if i not in shown}
        known = state.knows()
        facts = Facts(
            org, self._user, now, tuple(listed), {}, lacking, self._ages(), continues=everything
        )
        unknown = [t for t in reversed(listed) if t.id not in known and t.id not in stop]
        messages = dict[str, Message | None]()
        for number, task in enumerate(unknown, 1):
            message = service.message(task.id, young_is_none=not self._has("read: young"))
            named = message is None or message.ref is None or message.ref.name in names
            messages[task.id] = message if named or not names else Message(None, "")
            if number % CHUNK == 0 and number < len(unknown) and not everything:
                self._advance(replace(facts, messages=dict(messages)), task)
        return replace(facts, messages=messages)

    def _should(self, org: str, listed: tuple[Listed, ...], now: int) -> list[str]:
        settle = SETTLE
        found = self._rules.should_be_listed(self.state, org, self._user, listed, now, settle)
        return list(found)

    def _checked(self, org: str, *, everything: bool) -> set[str]:
        """What a list has to show: computed from the whole list, by rules that are not broken."""
        service, state, whole = self._service, self.state, Rules()
        stop = frozenset[str]() if everything else whole.stop(state, org, self._user)
        horizon = None if stop or everything else whole.horizon(state, service.now)
        checked = set(state.baselines.get((org, self._user), ())[:1])
        for key, record in state.records.items():
            task = service.find(record.task)
            is_old = service.now - task.commits_at > SETTLE
            newer = not stop or all(
                service.find(i).commits_at < task.commits_at for i in stop if i != record.task
            )
            is_read = horizon is None or record.created >= horizon
            if key.org == org and record.login == self._user and is_old and newer and is_read:
                checked.add(record.task)
        return checked - state.dismissed

    def _advance(self, facts: Facts, last: Listed) -> None:
        """The baseline after a part of the first messages was read."""
        rules, state = self._rules, self.state
        decision = rules.explain(state, facts)
        is_open = any(attempt.key.org == facts.org for attempt in state.attempts.values())
        if decision.baseline is None or is_open:
            return
        read = list(reversed(facts.listed[facts.listed.index(last) :]))
        if self._has("advance: not past records"):
            kept = list[Listed]()
            for task in read:
                message = facts.messages.get(task.id)
                if message is not None and state.is_ours(message.ref):
                    break
                kept.append(task)
            read = kept
        if read:
            position = facts.listed.index(read[-1])
            ids = newest(facts, state, position)
            self._write(with_baseline(state, facts, ids, explained=False))

    # Apply

    def apply(
        self, names: Collection[Key] | None = None, retried: Mapping[Key, str] | None = None
    ) -> bool:
        """Applies some keys, or all. `retried`: the tasks to replace. Whether nothing is left."""
        self._counted.applies += 1
        self._share()
        chosen = {k: e for k, e in self._repo.entries.items() if names is None or k in names}
        orgs = sorted({key.org for key in chosen} | (set() if names else set(self._repo.orgs())))
        sends = dict[Key, int]()
        for _ in range(12):
            self._explain(orgs, names)
            self._forget(names)
            self._move(chosen)
            todo = self._todo(chosen, retried or {}, sends)
            for key in todo:
                sends[key] = sends.get(key, 0) + 1
                self._create(key, chosen[key])
            if not todo and not self._wait(orgs):
                break
        self._close()
        return all(key in self.state.records for key in chosen)

    def _share(self) -> None:
        for record in self.state.records.values():
            task = self._service.find(record.task)
            if task.login == self._user and record.sent:
                task.is_shared = self._repo.shares

    def _explain(self, orgs: Collection[str], names: Collection[Key] | None) -> None:
        is_limited = names is not None and not self._has("read: not limited")
        for org in orgs:
            facts = self._read(org, names={key.name for key in names or ()} if is_limited else ())
            decision = self._rules.explain(self.state, facts)
            self._counted.explained += 1
            self.decisions[org] = decision
            after = applied(self.state, facts, decision)
            moved = after
            if decision.baseline is not None:
                moved = with_baseline(after, facts, decision.baseline)
            if not self._has("records before baseline") and moved != after:
                self._write(replace(self.state, baselines=moved.baselines))
            if after != self.state:
                self._write(after)
            if moved != after and self._has("baseline before create"):
                self._write(moved)
            self._share()

    def _forget(self, names: Collection[Key] | None) -> None:
        for key in sorted(self._repo.removed) if names is None else ():
            if key in self.state.records and self._is_free(key):
                self._write(forgotten(self.state, key, self._rules))

    def _move(self, chosen: Mapping[Key, Entry]) -> None:
        for key, entry in chosen.items():
            old = entry.moved_from
            if old is not None and old in self.state.records:
                self._write(moved(self.state, old, key, self._rules))

    def _is_free(self, key: Key) -> bool:
        decision = self.decisions[key.org]
        if not self._has("blocking"):
            return decision.proves and not decision.question
        if not self._has("blocking: whole organization"):
            return decision.proves and not decision.question and not self._is_blocked(key)
        return decision.is_free

    def _is_blocked(self, key: Key) -> bool:
        """A weaker rule: only the key that a task names, if that can be read, is blocked."""
        tasks = map(self._service.find, self.decisions[key.org].blocks)
        return any(task.ref is None or task.ref.name == key.name for task in tasks)

    def _todo(
        self, chosen: Mapping[Key, Entry], retried: Mapping[Key, str], sends: Mapping[Key, int]
    ) -> list[Key]:
        return [
            key
            for key, entry in sorted(chosen.items())
            if self._is_missing(key, retried)
            and sends.get(key, 0) < 3
            and self._is_free(key)
            and not self._is_attempted(key, entry)
            and not self._is_beside_orphan(key, entry)
        ]

    def _is_missing(self, key: Key, retried: Mapping[Key, str]) -> bool:
        record = self.state.records.get(key)
        return record is None or retried.get(key) == record.task

    def _is_attempted(self, key: Key, entry: Entry) -> bool:
        attempts = {attempt.key for attempt in self.state.attempts.values()}
        if entry.moved_from in attempts and self._has("create: attempts of a former key"):
            return True
        return key in attempts and self._has("create: attempts")

    def _is_beside_orphan(self, key: Key, entry: Entry) -> bool:
        state, known = self.state, {*self._repo.entries, *self._repo.removed}
        if key in state.records:
            return False
        prompts = set[str]()
        if self._has("create: orphans"):
            prompts |= {r.prompt for k, r in state.records.items() if k not in known}
        if self._has("create: orphans' attempts"):
            prompts |= {a.prompt for a in state.attempts.values() if a.key not in known}
        return entry.prompt in prompts

    def _create(self, key: Key, entry: Entry) -> None:
        self._counted.creates += 1
        state, has = self.state, self._has
        number = state.counter + 1
        if not has("number per send"):
            own = [r.number for r in (state.records.get(key),) if r is not None]
            own += [ref.number for ref, of in state.closed.items() if of == key]
            number = own[-1] if own else number
        ref = Ref(key.name, number, state.ids[0])
        attempt = Attempt(
            key, ref, self._user, entry.prompt, self.run, self._service.now + self._machine
        )
        opened = replace(
            state,
            counter=max(state.counter, number),
            attempts={**state.attempts, number: attempt},
        )
        paused = False
        if has("journal first"):
            self._write(opened)
            fault = self._chooser.fault("the process", "is killed before it sends", "is paused")
            if fault == "is killed before it sends":
                raise Killed
            paused = bool(fault)
        known = sorted(state.knows())
        outcome, task_id = self._service.create(
            self._user, key.org, ref, entry.prompt, entry.job, known, paused=paused
        )
        if paused:
            raise Killed
        if not has("journal first"):
            self._write(opened)
        self._ended[number] = self._service.now
        if outcome == "refused":
            left = {n: a for n, a in self.state.attempts.items() if n != number}
            self._write(replace(self.state, attempts=left))
        elif outcome == "ok" and (task_id not in known or not has("response: new ID")):
            self._record(number, attempt, task_id)

    def _record(self, number: int, attempt: Attempt, task_id: str) -> None:
        state, task = self.state, self._service.find(task_id)
        old = state.records.get(attempt.key)
        former = dict(state.former)
        if old is not None:
            former[old.task] = retired(attempt.key, old)
        created = task.commits_at + self._service.skew
        record = Record(
            task_id,
            number,
            attempt.ref,
            self._user,
            created,
            attempt.prompt,
            spent=old.spent if old is not None else frozenset(),
        )
        is_kept = state.is_kept
        if not is_kept:
            message = self._service.message(task_id)
            is_kept = message is not None and message.ref == attempt.ref
        left = {n: a for n, a in state.attempts.items() if n != number}
        records = {**state.records, attempt.key: record}
        self._write(replace(state, records=records, former=former, attempts=left, is_kept=is_kept))
        self.created.append(task_id)
        self._share()

    def _wait(self, orgs: Collection[str]) -> bool:
        """Waits for the settle time of attempts; whether there was something to wait for."""
        ages = self._ages()
        left = [
            needed - waited
            for number, (waited, needed) in ages.items()
            if self.state.attempts[number].key.org in orgs and waited < needed
        ]
        if not left or self._chooser.fault("the process", "is interrupted"):
            return False
        self._service.now += min(left)
        return True

    # Commands

    def new(self) -> None:
        self._write(replace(self.state, is_new=True))
        self._repo.storage.save()

    def continues(self, other: str, orgs: Collection[str]) -> bool:
        """`state init --continue`; False if it refused."""
        before = after = self.state
        if other not in before.ids:
            after = replace(before, ids=(*before.ids, other))
        self.state = after
        answered = set[str]()
        for org in sorted(orgs):
            facts = self._read(org, everything=self._has("continue: everything"))
            refs = [m.ref for m in facts.messages.values() if m is not None and m.ref is not None]
            answered |= {ref.state for ref in refs}
            creators = {
                task.login
                for task in facts.listed
                if (message := facts.messages.get(task.id)) and self.state.is_ours(message.ref)
            }
            trusted = creators if self._has("continue: users") else set()
            decision = self._rules.explain(_trusting(self.state, org, trusted), facts)
            if (decision.blocks or not decision.proves) and self._has("continue: refused"):
                self.state = before
                return False
            self.state = applied(self.state, facts, decision)
        self.state = replace(self.state, answered=self.state.answered | answered)
        if self._has("continue: other baselines"):
            self.state = replace(self.state, baselines={})
        for key, entry in self._repo.entries.items():
            old = entry.moved_from
            if old is not None and old in self.state.records:
                self.state = moved(self.state, old, key, self._rules)
        after, self.state = self.state, before
        self._write(after)
        self._close()
        return True

    def assign(self, key: Key, task_id: str) -> bool:
        """`state assign`; False if it refused."""
        state, task = self.state, self._service.find(task_id)
        others = {k for k, r in state.records.items() if r.task == task_id}
        others |= {a.key for a in state.attempts.values() if a.ref == task.ref}
        if others - {key}:
            return False
        number = state.counter + 1 if self._has("assign: number") else 0
        record = Record(
            task_id,
            number,
            task.ref if self._has("assign: reference") else None,
            task.login,
            task.commits_at + self._service.skew,
            task.prompt,
            sent=task.ref is not None and state.is_ours(task.ref) and task.login in state.users(),
        )
        former = {i: each for i, each in state.former.items() if i != task_id}
        if (old := state.records.get(key)) is not None and old.task != task_id:
            former[old.task] = retired(key, old)
        attempts = dict(state.attempts)
        for n, attempt in state.attempts.items():
            if attempt.key == key:
                del attempts[n]
                record = replace(record, spent=record.spent | {attempt.ref})
        self._write(
            replace(
                state,
                counter=max(state.counter, number),
                records={**state.records, key: record},
                former=former,
                attempts=attempts,
            )
        )
        self._close()
        return True

    def close(self, key: Key, *, is_early: bool = False) -> None:
        """`state close`: waits for the rest of the age, counting only journaled waiting, and looks
        for the task once more. `is_early`: the person has not seen what an old attempt's lookup
        finds."""
        attempts = [a for a in self.state.attempts.values() if a.key == key]
        left = max((SETTLE + WINDOW - attempt.waited for attempt in attempts), default=0)
        if self._has("close: waits"):
            self._service.now += max(left, 0)
        if self._has("close: looks again"):
            self._explain([key.org], None)
        attempted = {n: a for n, a in self.state.attempts.items() if a.key == key}
        decisions = self.decisions.values()
        is_silent = any("silent" in decision.open.values() for decision in decisions)
        is_seen = all(decision.proves and not decision.blocks for decision in decisions)
        if attempted and is_seen and not (is_early and is_silent):
            kept = {n: a for n, a in self.state.attempts.items() if n not in attempted}
            closed = {**self.state.closed, **{a.ref: key for a in attempted.values()}}
            self._write(replace(self.state, attempts=kept, closed=closed))
        self._repo.storage.save()

    def dismiss(self, task_id: str) -> None:
        self._write(replace(self.state, dismissed=self.state.dismissed | {task_id}))
        self._repo.storage.save()

    def forget(self, key: Key) -> None:
        """`state rm`."""
        self._write(forgotten(self.state, key, self._rules))
        self._repo.storage.save()

    def move(self, old: Key, new: Key) -> None:
        """`state mv`."""
        self._write(moved(self.state, old, new, self._rules))
        self._repo.storage.save()


def _trusting(state: State, org: str, users: Collection[str]) -> State:
    """The state, if these were its users."""
    known = {
        f"user {login}": Former(Key(org, ""), frozenset(), login, sent=True) for login in users
    }
    return replace(state, former={**state.former, **known})


def forgotten(state: State, key: Key, rules: Rules) -> State:
    records = dict(state.records)
    record = records.pop(key)
    known = {record.task: retired(key, record)} if rules.has("forget: known") else {}
    return replace(state, records=records, former={**state.former, **known})


def moved(state: State, old: Key, new: Key, rules: Rules) -> State:
    """The state after a rename."""
    records, former, attempts = dict(state.records), dict(state.former), dict(state.attempts)
    first, second = records.pop(old, None), records.get(new)
    if first is not None and second is not None:
        stays = second.number > first.number or not first.number
        if not rules.has("move: higher stays"):
            stays = not stays
        loser = first if stays else second
        former[loser.task] = retired(new, loser)
        first = second if stays else first
    if first is not None:
        records[new] = first
    if rules.has("move: attempts"):
        attempts = {
            n: replace(a, key=new) if a.key == old else a for n, a in state.attempts.items()
        }
    return replace(state, records=records, former=former, attempts=attempts)
