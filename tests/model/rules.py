"""The rules of docs/exactly-once.md as pure functions: what references of tasks say.

`Rules(without=...)` leaves out one rule, to show what it is for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.model.values import (
    DAY,
    KEPT,
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
    is_settled,
)

DECIDING = {
    "row 1": "references of other states are theirs",
    "row 2: records": "a reference of a record belongs to its task only",
    "row 2: former": "a reference of a replaced or removed task belongs to it only",
    "row 2: other organizations": "that of a record in another organization blocks",
    "row 2: closed": "a reference of a closed attempt is not the record's",
    "row 3": "an open attempt's reference is recorded for the attempt's key",
    "row 3: user": "... if its user created the task",
    "row 4": "references by strangers block",
    "rows: everything read": "nothing is recorded beside what could not be read",
    "rows: proof": "nothing is recorded from a list that does not prove",
    "row 5": "references of ours are recorded",
    "row 5: number": "a lower number is history",
    "row 5: own": "a continued ID is lower than the own one",
    "equal: oldest": "of equal references, the older task is recorded",
    "equal: blocked": "... also if that one blocks",
    "unreadable": "unreadable tasks block",
    "unreadable: strangers": "... of anybody, since a state may have been set back",
    "blocking": "what blocks stops all creates of the organization",
    "blocking: whole organization": "... not only those of the key that the task names",
    "proof": "only a list that shows what is known proves something",
    "proof: baseline": "... the IDs of the baseline",
    "proof: records": "... the recorded tasks that this identity created",
    "proof: by ID": "a task that is gone may be missing",
    "question": "an unknown state begins with a question",
    "verdict: identity": "only the identity that sent an attempt finds that it created nothing",
    "verdict: age": "... after the settle time",
    "verdict: proof": "... from a list that proves",
    "verdict: blocked": "... while nothing blocks",
    "verdict: seen": "... and, until a reference was seen, not beside a task without one",
    "baseline: proof": "the baseline moves if the list proves",
    "baseline: blocks": "... nothing blocks",
    "baseline: question": "... nothing is asked",
    "baseline: attempts": "... and no attempt is open",
    "counter": "the counter is never below the numbers seen of users",
}


class Rules:
    """`without`: the names of the rules that are left out."""

    def __init__(self, *without: str) -> None:
        self._without = frozenset(without)

    def has(self, rule: str) -> bool:
        return rule not in self._without

    # What to read

    def stop(self, state: State, org: str, user: str) -> frozenset[str]:
        """Reading stops at the first of these IDs."""
        if self.has("baseline: own identity"):
            return frozenset(state.baselines.get((org, user), ()))
        return frozenset(i for (at, _), ids in state.baselines.items() if at == org for i in ids)

    def horizon(self, state: State, now: int) -> int | None:
        """Without a baseline, reading stops at tasks that were created before this time."""
        if not state.is_new:
            return None
        if len(state.ids) > 1 and self.has("horizon: not of continued states"):
            return None
        if not self.has("horizon: when the state began"):
            return now
        return state.began - DAY

    def should_be_listed(
        self, state: State, org: str, user: str, listed: tuple[Listed, ...], now: int, settle: int
    ) -> Iterator[str]:
        """The known tasks that the list has to show, as far as it was read."""
        ids = state.baselines.get((org, user), ())
        shown = {task.id for task in listed}
        stopped = next((number for number, i in enumerate(ids) if i in shown), len(ids))
        if self.has("proof: baseline"):
            yield from ids[:stopped]
        if self.has("proof: records"):
            oldest = listed[-1].created if stopped < len(ids) else None
            for key, record in state.records.items():
                is_read = oldest is None or record.created > oldest
                is_old = now - record.created > settle
                is_mine = key.org == org and record.login == user
                if is_mine and is_read and is_old and record.task not in state.dismissed:
                    yield record.task

    # What was read

    def explain(self, state: State, facts: Facts) -> Decision:
        return _Explaining(self, state, facts).decide()


class _Explaining:
    def __init__(self, rules: Rules, state: State, facts: Facts) -> None:
        self._rules, self._has, self._state, self._facts = rules, rules.has, state, facts
        self._users = {*state.users(), facts.user}
        self._records, self._former = dict(state.records), dict(state.former)
        self._attempts = dict(state.attempts)
        self._changed: set[Key] = set()
        self._duplicates: set[str] = set()
        self._blocks: set[str] = set()
        self._blocked: set[Ref] = set()
        self._counter = state.counter

    def decide(self) -> Decision:
        state, facts = self._state, self._facts
        self._proves = not self._has("proof") or self._is_complete()
        unknown = [task for task in facts.listed if task.id in facts.messages]
        shown = {task.id: facts.messages[task.id] for task in unknown}
        self._block_unreadable(unknown)
        is_read = not self._blocks or not self._has("rows: everything read")
        self._may_record = is_read and (self._proves or not self._has("rows: proof"))
        refs = [message.ref for message in shown.values() if message is not None and message.ref]
        question = self._question({ref.state for ref in refs})
        is_kept = state.is_kept or any(map(state.is_ours, refs))
        for task, message in self._in_order(unknown):
            self._row(task, message)
        found = frozenset(state.attempts.keys() - self._attempts.keys())
        is_open, closed = dict[int, str](), set[int]()
        silent = not is_kept and any(self._is_silent(task, shown[task.id]) for task in unknown)
        for number, attempt in self._attempts.items():
            if attempt.key.org == facts.org:
                why = self._verdict(number, attempt, silent=silent, question=bool(question))
                is_open.update({number: why} if why else {})
                closed.update(() if why else {number})
        return Decision(
            records={key: self._records[key] for key in self._changed},
            former={i: each for i, each in self._former.items() if i not in state.former},
            duplicates=frozenset(self._duplicates),
            found=found,
            closed=frozenset(closed),
            open=is_open,
            blocks=frozenset(self._blocks),
            question=question,
            proves=self._proves,
            baseline=self._baseline(is_open=bool(is_open), is_asked=bool(question)),
            counter=self._counter,
            is_kept=is_kept,
        )

    def _is_complete(self) -> bool:
        lacking = self._facts.lacking.values()
        if not self._has("proof: by ID"):
            return not lacking
        return all(is_shown is False for is_shown in lacking)

    def _block_unreadable(self, unknown: list[Listed]) -> None:
        anybody = self._facts.org not in self._state.explained or self._facts.continues
        for task in unknown:
            if self._facts.messages[task.id] is not None or not self._has("unreadable"):
                continue
            is_users = not task.login or task.login in self._users
            is_old = self._has("unreadable: strangers") and is_settled(task, self._facts)
            if anybody or is_users or is_old:
                self._blocks.add(task.id)

    def _question(self, states: set[str]) -> frozenset[str]:
        state = self._state
        if state.is_new or self._facts.org in state.explained or not self._has("question"):
            return frozenset()
        return frozenset(states - {*state.ids, *state.answered})

    def _in_order(self, unknown: list[Listed]) -> list[tuple[Listed, Message]]:
        """Lower numbers first, so that the last one that is recorded has the highest."""

        def rank(each: tuple[Listed, Message]) -> tuple[bool, int, int, int]:
            task, message = each
            assert message.ref is not None
            is_own = message.ref.state == self._state.ids[0]
            sign = 1 if self._has("equal: oldest") else -1
            number = message.ref.number if is_own else 0
            return is_own, number, sign * task.created, message.ref.number

        read = [(task, self._facts.messages[task.id]) for task in unknown]
        read = read[::-1] if self._has("equal: oldest") else read
        ours = [(task, message) for task, message in read if message and self._is_ours(message.ref)]
        return sorted(ours, key=rank)

    def _is_ours(self, ref: Ref | None) -> bool:
        return ref is not None and (self._state.is_ours(ref) or not self._has("row 1"))

    def _row(self, task: Listed, message: Message) -> None:
        ref = message.ref
        assert ref is not None
        is_own = ref.state == self._state.ids[0] and task.login in self._users
        if is_own and self._has("counter"):
            self._counter = max(self._counter, ref.number)
        key = Key(self._facts.org, ref.name)
        number, attempt = self._attempt(task, ref)
        if self._is_taken(ref):
            self._duplicates.add(task.id)
        elif self._is_elsewhere(ref) and self._has("row 2: other organizations"):
            self._block(task, ref)
        elif ref in self._blocked and self._has("equal: blocked"):
            return
        elif attempt is None and task.login not in self._users and self._has("row 4"):
            self._block(task, ref)
        elif not self._may_record:
            return
        elif attempt is not None:
            self._record(task, message, attempt.key)
            del self._attempts[number]
        elif not self._has("row 5"):
            return
        elif key not in self._records or self._is_newer(task, ref, self._records[key]):
            self._record(task, message, key)
        else:
            self._former[task.id] = Former(key, frozenset({ref}), task.login, sent=True)

    def _block(self, task: Listed, ref: Ref) -> None:
        self._blocks.add(task.id)
        self._blocked.add(ref)

    def _attempt(self, task: Listed, ref: Ref) -> tuple[int, Attempt | None]:
        attempt = self._attempts.get(ref.number)
        if attempt is None or attempt.ref != ref or attempt.key.org != self._facts.org:
            return 0, None
        is_his = task.login == attempt.login or not self._has("row 3: user")
        return ref.number, attempt if is_his and self._has("row 3") else None

    def _is_taken(self, ref: Ref) -> bool:
        """Whether a known task of this organization has the reference."""
        org, has = self._facts.org, self._has
        records = {key: each for key, each in self._records.items() if key.org == org}
        if has("row 2: records") and any(ref == each.ref for each in records.values()):
            return True
        if has("row 2: closed"):
            if any(ref in record.spent for record in records.values()):
                return True
            if self._state.closed.get(ref) in records:
                return True
        former = (each for each in self._former.values() if each.key.org == org)
        return has("row 2: former") and any(ref in each.refs for each in former)

    def _is_elsewhere(self, ref: Ref) -> bool:
        """Whether a known task or an attempt of another organization has the reference."""
        org, state = self._facts.org, self._state
        refs = {
            r for k, each in state.records.items() if k.org != org for r in (each.ref, *each.spent)
        }
        refs |= {r for each in state.former.values() if each.key.org != org for r in each.refs}
        refs |= {each.ref for each in state.attempts.values() if each.key.org != org}
        return ref in refs

    def _is_newer(self, task: Listed, ref: Ref, record: Record) -> bool:
        if not self._has("row 5: number"):
            return True
        own, known = self._state.ids[0], record.ref
        if record.number or known is None:
            if not self._has("row 5: own"):
                return ref.number > record.number
            return ref.state == own and ref.number > record.number
        if ref.state == own:
            return True
        return (
            ref.number > known.number
            if ref.state == known.state
            else (task.created > record.created)
        )

    def _record(self, task: Listed, message: Message, key: Key) -> None:
        ref = message.ref
        assert ref is not None
        number = ref.number if ref.state == self._state.ids[0] else 0
        old = self._records.get(key)
        spent = old.spent if old is not None else frozenset()
        if old is not None:
            self._former[old.task] = retired(key, old)
        self._records[key] = Record(
            task.id, number, ref, task.login, task.created, message.prompt, spent=spent
        )
        self._changed.add(key)

    def _is_silent(self, task: Listed, message: Message | None) -> bool:
        is_mine = task.login in ("", self._facts.user)
        return is_mine and message is not None and message.ref is None

    def _verdict(self, number: int, attempt: Attempt, *, silent: bool, question: bool) -> str:
        """Why an attempt is open; "" if it created nothing."""
        waited, needed = self._facts.ages[number]
        blocks = self._blocks if self._has("blocking") else ()
        if attempt.login != self._facts.user and self._has("verdict: identity"):
            return "other identity"
        if waited < needed and self._has("verdict: age"):
            return "settling"
        if not self._proves and self._has("verdict: proof"):
            return "unproven"
        if (blocks or question) and self._has("verdict: blocked"):
            return "blocked"
        if silent and self._has("verdict: seen"):
            return "silent"
        return ""

    def _baseline(self, *, is_open: bool, is_asked: bool) -> tuple[str, ...] | None:
        facts, has = self._facts, self._has
        stays = (
            (not self._proves and has("baseline: proof"))
            or (self._blocks and has("baseline: blocks"))
            or (is_asked and has("baseline: question"))
            or (is_open and has("baseline: attempts"))
        )
        return None if stays else newest(facts, self._state)


def newest(facts: Facts, state: State, skipped: int = 0) -> tuple[str, ...]:
    """The newest IDs from a position of the list on: those that were read, and older ones that the
    baseline has."""
    read = [task.id for task in facts.listed[skipped:]]
    known = state.baselines.get((facts.org, facts.user), ())
    if read and read[-1] in known:
        read += known[known.index(read[-1]) + 1 :]
    return tuple(read[:KEPT])


def retired(key: Key, record: Record) -> Former:
    refs = record.spent | ({record.ref} if record.ref is not None else frozenset())
    return Former(key, frozenset(refs), record.login, record.sent)


def applied(state: State, facts: Facts, decision: Decision) -> State:
    """The state after a decision, but for its baseline."""
    records, closed = {**state.records, **decision.records}, dict(state.closed)
    for number in decision.closed:
        attempt = state.attempts[number]
        if attempt.key in records:
            old = records[attempt.key]
            records[attempt.key] = replace(old, spent=old.spent | {attempt.ref})
        else:
            closed[attempt.ref] = attempt.key
    for number in decision.found:
        closed.pop(state.attempts[number].ref, None)
    left = state.attempts.keys() - decision.closed - decision.found
    return replace(
        state,
        records=records,
        former={**state.former, **decision.former},
        attempts={number: state.attempts[number] for number in sorted(left)},
        closed=closed,
        counter=max(state.counter, decision.counter),
        is_kept=decision.is_kept,
    )


def with_baseline(
    state: State, facts: Facts, ids: tuple[str, ...], *, explained: bool = True
) -> State:
    orgs = state.explained | ({facts.org} if explained else frozenset())
    baselines = {**state.baselines, (facts.org, facts.user): ids}
    return replace(state, baselines=baselines, explained=orgs)
