"""Taskctl's own decisions about the states and facts of the model: `reconciler.plan.explain`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from reconciler.model.clock import Clocks
from reconciler.model.reference import Reference
from reconciler.model.remarks import remark
from reconciler.model.service import FirstMessage, Identity, RemoteTask
from reconciler.model.task import TaskId, TaskRef
from reconciler.model.value import replace
from reconciler.plan import explain
from reconciler.plan import facts as read
from reconciler.plan.ages import AttemptAges
from reconciler.plan.explanation import Declared, Explanation
from reconciler.plan.plan import Reason
from reconciler.state import attempt as states
from reconciler.state import model
from tests.model.rules import Rules, newest
from tests.model.values import (
    SETTLE,
    WINDOW,
    Attempt,
    Decision,
    Facts,
    Former,
    Key,
    Record,
    Ref,
    State,
    is_settled,
)

_WHY = {
    Reason.SETTLING: "settling",
    Reason.AMBIGUOUS: "silent",
    Reason.BLOCKED: "blocked",
    Reason.UNREADABLE: "unproven",
    Reason.OTHER_IDENTITY: "other identity",
}
BOOT = 1_000_000.0
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"


class Taskctl(Rules):
    """Decides as taskctl does."""

    def explain(self, state: State, facts: Facts) -> Decision:
        before = _state_of(state)
        after = explain.explain(
            before,
            _facts_of(state, facts),
            Declared.of((), {}),
            timedelta(seconds=SETTLE),
            _ages_of(before, facts),
            continues=facts.continues,
        )
        return _decision_of(state, facts, before, after)


def _instant(tick: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=tick)


def _id_of(state: str) -> str:
    """The ID of the state `s17`."""
    number = int(state[1:])
    last = f"{_CONSONANTS[number % 16]}a{_CONSONANTS[number // 16 % 16]}ab"
    return f"babab-babab-{last}"


def _text_of(ref: Ref | None) -> str:
    return f"{ref.name}/{ref.number} {_id_of(ref.state)}" if ref is not None else ""


def _identity(login: str) -> Identity:
    return Identity(f"id:{login}", login=login)


def _ref_of(key: Key) -> TaskRef:
    return TaskRef(key.org, key.name)


def _state_of(state: State) -> model.State:
    provenance = states.Provenance(
        ids=tuple(map(_id_of, state.ids)),
        begun_at=_instant(state.began),
        counter=state.counter,
        is_new=state.is_new,
        answered=tuple(sorted(map(_id_of, state.answered))),
        explained=tuple(sorted(state.explained)),
        is_kept=state.is_kept,
    )
    records = {_ref_of(key): _record_of(key, record) for key, record in state.records.items()}
    closed: dict[TaskRef, tuple[str, ...]] = {}
    for ref, key in state.closed.items():
        if key in state.records:
            old = records[_ref_of(key)]
            records[_ref_of(key)] = replace(old, spent=(*old.spent, _text_of(ref)))
        else:
            closed[_ref_of(key)] = (*closed.get(_ref_of(key), ()), _text_of(ref))
    baselines = (
        states.Baseline(org, ids, _identity(login))
        for (org, login), ids in sorted(state.baselines.items())
    )
    return model.State(
        "lineage",
        1,
        "backend",
        provenance,
        records=records,
        attempts={n: _attempt_of(each) for n, each in state.attempts.items()},
        closed=closed,
        baselines=tuple(baselines),
        retired={i: _retired_of(i, each) for i, each in state.former.items()},
        dismissed=tuple(sorted(state.dismissed)),
    )


def _record_of(key: Key, record: Record) -> model.Record:
    text, spent = _text_of(record.ref), sorted(map(_text_of, record.spent))
    return model.Record(
        ref=_ref_of(key),
        task_id=record.task,
        reference=text if record.sent else "",
        number=record.number,
        file="",
        inputs={"message": {"content": record.prompt}},
        digest="",
        identity=_identity(record.login),
        created_at=_instant(record.created),
        spent=tuple(spent if record.sent or not text else [*spent, text]),
        outputs={"createdAt": _instant(record.created).isoformat()},
    )


def _retired_of(task_id: str, former: Former) -> states.RetiredTask:
    texts = sorted(map(_text_of, former.refs)) or [f"nothing/1 {_id_of('s255')}"]
    return states.RetiredTask(
        ref=_ref_of(former.key),
        task_id=task_id,
        file="",
        identity=_identity(former.login),
        reference=texts[0] if former.sent else "",
        spent=tuple(texts[1:] if former.sent else texts),
    )


def _attempt_of(attempt: Attempt) -> states.Attempt:
    return states.Attempt(
        ref=_ref_of(attempt.key),
        reference=_text_of(attempt.ref),
        inputs={"message": {"content": attempt.prompt}},
        digest="",
        identity=_identity(attempt.login),
        file="",
        started_at=_instant(0),
        settle_time=float(SETTLE),
        window=float(WINDOW),
        waited=float(attempt.waited),
    )


def _ages_of(state: model.State, facts: Facts) -> AttemptAges:
    attempts = [
        replace(attempt, waited=float(facts.ages[number][0]))
        for number, attempt in state.attempts.items()
    ]
    ages = AttemptAges(BOOT, attempts)
    for number, (waited, needed) in facts.ages.items():
        if needed == SETTLE:
            ages.ended(number, BOOT - waited)
    return ages


def _facts_of(state: State, facts: Facts) -> read.Facts:
    def known(task_id: str) -> TaskId:
        return TaskId(facts.org, task_id)

    tasks = {
        known(task.id): RemoteTask(
            facts.org,
            task.id,
            {
                "createdAt": _instant(task.created).isoformat(),
                "createdBy": {"githubLogin": task.login},
            },
        )
        for task in facts.listed
    }
    messages = {
        known(i): FirstMessage(message.prompt, reference=Reference.parse(_text_of(message.ref)))
        for i, message in facts.messages.items()
        if message is not None
    }
    why = (remark("message.none"),)
    unreadable = {known(i): why for i, message in facts.messages.items() if message is None}
    proves = all(is_shown is False for is_shown in facts.lacking.values())
    listing = read.Listing(
        tuple(task.id for task in reversed(facts.listed) if task.id in facts.messages),
        states.Baseline(facts.org, newest(facts, state), _identity(facts.user)),
        None if proves else remark("list.lacks", task_id="any"),
    )
    return read.Facts(
        _identity(facts.user),
        Clocks(_instant(facts.now), BOOT),
        tasks=tasks,
        messages=messages,
        unreadable=unreadable,
        failed=unreadable.keys() & {known(t.id) for t in facts.listed if is_settled(t, facts)},
        lists={facts.org: listing},
    )


def _decision_of(state: State, facts: Facts, before: model.State, after: Explanation) -> Decision:
    ids = {_id_of(f"s{number}"): f"s{number}" for number in range(256)}
    listed = {task.id: task for task in facts.listed}

    def ref_of(text: str) -> Ref | None:
        found = Reference.parse(text)
        return Ref(found.key, found.number, ids[found.state]) if found is not None else None

    def record_of(made: model.Record) -> Record:
        task, message = listed[made.task_id], facts.messages[made.task_id]
        assert message is not None
        old = state.records.get(Key(made.ref.org_name, made.ref.key))
        spent = old.spent if old is not None else frozenset()
        ref = ref_of(made.reference)
        return Record(
            task.id, made.number, ref, task.login, task.created, message.prompt, spent=spent
        )

    changed = {
        Key(ref.org_name, ref.key): record_of(record)
        for ref, record in after.state.records.items()
        if ref not in before.records or before.records[ref].task_id != record.task_id
    }
    closed = frozenset(attempt.number for attempt in after.closed)
    moved = [n.baseline.ids for n in after.notes if isinstance(n, model.BaselineMoved)]
    proves = all(is_shown is False for is_shown in facts.lacking.values())
    listing = facts.org in after.state.provenance.explained
    is_still = (
        proves and not (after.blocks or after.questions or _is_open(facts, after)) and listing
    )
    stays = newest(facts, state) if is_still else None
    others = after.questions.get(facts.org, ())
    return Decision(
        records=changed,
        former=_former_of(state, facts, before, after, ref_of),
        duplicates=frozenset(each.remote.id for each in after.duplicates),
        found=frozenset(state.attempts.keys() - after.state.attempts.keys() - closed),
        closed=closed,
        open={
            n: _WHY[each.reason] for n, each in after.attempts.items() if _is_of(state, facts, n)
        },
        blocks=frozenset(block.task.id for block in after.blocks.get(facts.org, ())),
        question=frozenset(ids[each.id] for each in others),
        proves=proves,
        baseline=moved[0] if moved else stays,
        counter=after.state.provenance.counter,
        is_kept=after.state.provenance.is_kept,
    )


def _is_of(state: State, facts: Facts, number: int) -> bool:
    return state.attempts[number].key.org == facts.org


def _is_open(facts: Facts, after: Explanation) -> bool:
    attempts = after.state.attempts.values()
    return any(attempt.ref.org_name == facts.org for attempt in attempts)


def _former_of(
    state: State,
    facts: Facts,
    before: model.State,
    after: Explanation,
    ref_of: Callable[[str], Ref | None],
) -> dict[str, Former]:
    """The tasks that became history."""
    users = {task.id: task.login for task in facts.listed}
    found: dict[str, Former] = {}
    for ref, record in after.state.records.items():
        key, old = Key(ref.org_name, ref.key), before.records.get(ref)
        known = old.former if old is not None else ()
        for task_id in set(record.former) - set(known):
            if old is not None and task_id == old.task_id:
                mine = state.records[key]
                refs = mine.spent | ({mine.ref} if mine.ref is not None else frozenset())
                found[task_id] = Former(key, frozenset(refs), mine.login, mine.sent)
                continue
            message = facts.messages[task_id]
            assert message is not None
            assert message.ref is not None
            found[task_id] = Former(key, frozenset({message.ref}), users[task_id], sent=True)
    return found
