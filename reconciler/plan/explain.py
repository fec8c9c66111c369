"""Determines which key, request and state each task of an organization belongs to. Pure.

The first message of a task contains its reference. docs/contributing/exactly-once.md has the table
that `_Organization.decide` follows, row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from reconciler.model.canonical import digest
from reconciler.model.fields import BY_NAME, DEFAULTS
from reconciler.model.reference import Reference, is_damaged
from reconciler.model.remarks import remark
from reconciler.model.service import FirstMessage, RemoteTask
from reconciler.model.task import (
    Inputs,
    TaskId,
    TaskRef,
    instant,
)
from reconciler.model.value import replace
from reconciler.model.wire import patch_after_create
from reconciler.model.work import inputs_of, shows_work
from reconciler.plan.ages import AttemptAges, time_left
from reconciler.plan.explanation import (
    Block,
    Declared,
    Duplicate,
    Explanation,
    Found,
    Open,
    OtherState,
    Owner,
    Replaced,
)
from reconciler.plan.facts import Facts, Listing
from reconciler.plan.keys import moved_ref
from reconciler.plan.plan import Reason
from reconciler.state.attempt import IMPLAUSIBLE, Attempt, kept_outputs
from reconciler.state.ledger import Ledger
from reconciler.state.model import (
    BaselineMoved,
    Event,
    Forgotten,
    Learned,
    Record,
    Recorded,
    State,
)

_NEVER = datetime.max.replace(tzinfo=UTC)


def explain(
    state: State,
    facts: Facts,
    declared: Declared,
    settle_time: timedelta,
    ages: AttemptAges | None = None,
    *,
    continues: bool = False,
) -> Explanation:
    """The next state, given what was read. `ages` are the ages of attempts as known to an apply.
    `continues`: the state continues a lost state, so any unreadable task may belong to it."""
    ledger = Ledger(state)
    is_kept = state.provenance.is_kept or _shows_reference(state, facts)
    ledger.provenance = replace(state.provenance, is_kept=is_kept)
    organizations = [
        _Organization(ledger, state, facts, declared, org_name, listing, continues=continues)
        for org_name, listing in sorted(facts.lists.items())
    ]
    for organization in organizations:
        organization.decide()
    joined = _joined(ledger, declared)
    events = [event for organization in organizations for event in organization.events]
    events += [event for _, each in joined for event in each]
    emptied = {event.ref for _, each in joined for event in each if isinstance(event, Forgotten)}
    after, boot = ledger.state(), facts.clocks.boot
    left = {n: time_left(each, settle_time, ages, boot) for n, each in after.attempts.items()}
    attempts, closed = _verdicts(after, organizations, facts, left)
    ends = after.close_attempts((a.number for a in closed), "made no task", facts.clocks.moment)
    ledger.add(ends)
    notes = _baseline_events(ledger, state, organizations)
    return Explanation(
        state=ledger.state(),
        events=(*events, *ends),
        notes=notes,
        found=tuple(
            each for org in organizations for ref, each in org.found.items() if ref not in emptied
        ),
        duplicates=tuple(each for org in organizations for each in org.duplicates),
        replaced=(*_replaced_in(organizations), *(each for each, _ in joined)),
        blocks={org.org_name: tuple(org.blocks) for org in organizations if org.blocks},
        questions={org.org_name: org.others for org in organizations if org.others},
        attempts=attempts,
        unkept="" if is_kept else _key_without_reference(state, facts),
        closed=closed,
        explained=frozenset(org.org_name for org in organizations),
    )


def _verdicts(
    state: State,
    organizations: Sequence[_Organization],
    facts: Facts,
    left: Mapping[int, float],
) -> tuple[dict[int, Open], tuple[Attempt, ...]]:
    """The attempts that stay open, by number, and those that created no task. `left` are the
    seconds until each attempt has reached its age."""
    by_org = {organization.org_name: organization for organization in organizations}
    attempts: dict[int, Open] = {}
    closed: list[Attempt] = []
    for attempt in state.attempts_of({attempt.ref for attempt in state.attempts.values()}):
        organization = by_org.get(attempt.ref.org_name)
        verdict = _verdict(attempt, organization, facts, left[attempt.number])
        if verdict is None:
            closed.append(attempt)
        else:
            attempts[attempt.number] = verdict
    return attempts, tuple(closed)


def _baseline_events(
    ledger: Ledger, before: State, organizations: Sequence[_Organization]
) -> tuple[Event, ...]:
    """The events that move baselines and update the provenance."""
    after = ledger.state()
    notes = [event for each in organizations for event in each.baseline(after)]
    ledger.add(notes)
    if ledger.provenance != before.provenance:
        notes.append(Learned(ledger.provenance))
    return tuple(notes)


def _replaced_in(organizations: Iterable[_Organization]) -> Iterator[Replaced]:
    for organization in organizations:
        yield from organization.replaced


def _joined(ledger: Ledger, declared: Declared) -> list[tuple[Replaced, tuple[Event, ...]]]:
    """If `movedFrom` names a recorded key and the new key has a record, too, the record with the
    higher number stays, and the other task becomes history. (The plan moves the record of the old
    key.)"""
    joined: list[tuple[Replaced, tuple[Event, ...]]] = []
    for ref, task in declared.tasks.items():
        former_ref = moved_ref(task)
        old = ledger.records.get(former_ref) if former_ref is not None else None
        new = ledger.records.get(ref)
        if old is None or new is None:
            continue
        stays, goes = (old, new) if old.number > new.number else (new, old)
        former = tuple(dict.fromkeys((goes.task_id, *goes.former, *stays.former)))
        spent = tuple(dict.fromkeys((*goes.references, *stays.spent)))
        events = (Recorded(replace(stays, former=former, spent=spent)), Forgotten(goes.ref))
        ledger.add(events)
        joined.append((Replaced(ref, goes.task_id), events))
    return joined


def _shows_reference(state: State, facts: Facts) -> bool:
    """Whether the service shows one of this state's references."""
    shown = (message.reference for message in facts.messages.values() if message is not None)
    return any(map(state.is_ours, shown))


def _key_without_reference(state: State, facts: Facts) -> str:
    """The key of a recorded task whose prompt had a reference, but whose first message shows
    none."""
    sent = {TaskId(r.ref.org_name, r.task_id): r.ref for r in state.records.values() if r.reference}
    for task, message in facts.messages.items():
        if task in sent and message is not None and message.reference is None:
            return sent[task].key
    return ""


class _Organization:
    """Explains the tasks of one organization. `decide` adds the results to the shared ledger."""

    def __init__(
        self,
        ledger: Ledger,
        state: State,
        facts: Facts,
        declared: Declared,
        org_name: str,
        listing: Listing,
        *,
        continues: bool,
    ) -> None:
        self.org_name, self.listing = org_name, listing
        self._ledger, self._state, self._facts, self._declared = ledger, state, facts, declared
        self._users = {*state.users(), facts.identity.login} - {""}
        if continues:  # continuing needs a confirmation of these tasks
            self._users |= {task.creator_login or "" for task, _ in self._shown()}
        self._was_explained = org_name in state.provenance.explained and not continues
        self.events: list[Event] = []
        self.found: dict[TaskRef, Found] = {}
        self.duplicates: list[Duplicate] = []
        self.replaced: list[Replaced] = []
        self.blocks: list[Block] = []
        self.others = self._undecided_states()
        self.without_reference = self._without_reference()
        self._owners, self._elsewhere = self._owners_of(state), self._owned_elsewhere(state)

    def _unknown(self) -> Iterator[tuple[RemoteTask, TaskId]]:
        for task_id in self.listing.unknown:
            known = TaskId(self.org_name, task_id)
            yield self._facts.tasks[known], known

    def _shown(self) -> Iterator[tuple[RemoteTask, FirstMessage]]:
        for task, known in self._unknown():
            message = self._facts.messages.get(known)
            if message is not None:
                yield task, message

    def _without_reference(self) -> tuple[RemoteTask, ...]:
        """The tasks of this user that may have lost their reference. If the service keeps
        references, these are only tasks with a damaged reference."""
        identity, messages = self._facts.identity, self._facts.messages
        return tuple(
            task
            for task, known in self._unknown()
            if known in messages
            and self._may_have_lost(messages[known])
            and task.may_be_of(identity)
        )

    def _may_have_lost(self, message: FirstMessage | None) -> bool:
        if message is not None and message.reference is None and is_damaged(message.text):
            return True
        is_kept = self._ledger.provenance.is_kept
        return not is_kept and (message is None or message.reference is None)

    def _undecided_states(self) -> tuple[OtherState, ...]:
        """The other states whose tasks are here, unless a person has already decided about them;
        newest first."""
        provenance = self._state.provenance
        if provenance.is_new or self.org_name in provenance.explained:
            return ()
        answered = {*provenance.ids, *provenance.answered}
        tasks: dict[str, list[tuple[RemoteTask, Reference]]] = {}
        for task, message in self._shown():
            reference = message.reference
            if reference is not None and reference.state not in answered:
                tasks.setdefault(reference.state, []).append((task, reference))
        declared = self._declared.tasks.items() if tasks else ()
        moves = {old: ref for ref, task in declared if (old := moved_ref(task)) is not None}
        found = [self._other(state, known, moves) for state, known in tasks.items()]
        return tuple(sorted(found, key=lambda each: (each.newest or _NEVER, each.id), reverse=True))

    def _other(
        self,
        state: str,
        tasks: Sequence[tuple[RemoteTask, Reference]],
        moves: Mapping[TaskRef, TaskRef],
    ) -> OtherState:
        """`moves` are the keys that have a former key, by that key."""
        keys = tuple(dict.fromkeys(reference.key for _, reference in tasks))
        refs = {TaskRef(self.org_name, key): key for key in keys}
        former = {ref for ref in refs if (new := moves.get(ref)) is not None and new not in refs}
        logins = {task.creator_login or "" for task, _ in tasks}
        dates = [task.created_at for task, _ in tasks if task.created_at is not None]
        return OtherState(
            id=state,
            tasks=len(tasks),
            newest=max(dates, default=None),
            logins=tuple(sorted(logins - {""})),
            keys=keys,
            declared=tuple(
                key for ref, key in refs.items() if ref in self._declared.tasks or ref in former
            ),
            is_own=self._facts.identity.login in logins,
        )

    def decide(self) -> None:
        """Decides about all tasks: the first row that applies decides. Lower numbers come first, so
        that the task with the highest number is recorded last.

        Nothing is recorded if a task cannot be read, or if the list does not prove that it is
        complete: there may be an older task with the same reference. For the same reason, no task
        is recorded that has the reference of a blocking task.
        """
        for task, known in self._unknown():
            if known in self._facts.unreadable:
                self._unreadable(task, known)
        may_record = not self.blocks and self.listing.unproven is None
        blocked = set[str]()
        sent = {attempt.reference for attempt in self._state.attempts.values()}
        ours = [
            (task, message, reference)
            for task, message in self._shown()
            if (reference := message.reference) is not None
            and (self._state.is_ours(reference) or str(reference) in sent)
        ]
        for task, message, reference in sorted(ours, key=self._order):
            if (task.creator_login or "") in self._users:
                self._count(reference)
            attempt = self._attempt(task, reference)
            if (owner := self._owners.get(str(reference))) is not None:
                self._add_duplicate(task, owner)
            elif (elsewhere := self._elsewhere.get(str(reference))) is not None:
                self._block(task, reference.key, str(elsewhere))
            elif str(reference) in blocked:
                continue
            elif attempt is None and (task.creator_login or "") not in self._users:
                self._block(task, reference.key)
                blocked.add(str(reference))
            elif not may_record:
                continue  # creates are blocked, too
            elif attempt is not None:
                self._record(task, self._of_attempt(task, attempt, reference), attempt)
            elif self._is_newer(reference, task):
                self._record(task, self._of_message(task, message, reference), None)
            else:
                self._replaced(task, reference)

    def _order(
        self, ours: tuple[RemoteTask, FirstMessage, Reference]
    ) -> tuple[bool, int, datetime, int, str]:
        task, _, reference = ours
        is_own = reference.state == self._state.provenance.id
        return is_own, self._number(reference), task.created_at or _NEVER, reference.number, task.id

    def _number(self, reference: Reference) -> int:
        """The number of a record. It is 0 for a continued state, and for an implausible number, so
        that every number of this state is higher."""
        is_own = reference.state == self._state.provenance.id
        return reference.number if is_own and reference.number < IMPLAUSIBLE else 0

    def _count(self, reference: Reference) -> None:
        if reference.state == self._state.provenance.id:
            self._ledger.provenance = self._ledger.provenance.counted(reference.number)

    def _owners_of(self, state: State) -> dict[str, Owner]:
        """The references of recorded, replaced and removed tasks, and of closed attempts whose key
        has a record."""
        owners: dict[str, Owner] = {}
        for retired in state.retired.values():
            if retired.ref.org_name == self.org_name:
                owner = Owner(retired.ref, retired.task_id, retired.file)
                owners |= dict.fromkeys((retired.reference, *retired.spent), owner)
        for record in state.records.values():
            if record.ref.org_name == self.org_name:
                owners |= _owned(record)
        return owners

    def _owned_elsewhere(self, state: State) -> dict[str, TaskRef]:
        """The references of tasks and attempts of other organizations. If the state was restored
        from a backup, a number may have been used twice, so a task with one of these references is
        no duplicate."""
        known = [(each.ref, (each.reference, *each.spent)) for each in state.retired.values()]
        known += [(record.ref, record.references) for record in state.records.values()]
        known += [(attempt.ref, (attempt.reference,)) for attempt in state.attempts.values()]
        others = [(ref, texts) for ref, texts in known if ref.org_name != self.org_name]
        return {text: ref for ref, texts in others for text in texts}

    def _attempt(self, task: RemoteTask, reference: Reference) -> Attempt | None:
        """The open attempt with exactly this reference, if its user created the task."""
        attempt = self._ledger.attempts.get(reference.number)
        if attempt is None or attempt.reference != str(reference):
            return None
        caller = self._facts.identity
        is_users = task.creator_login == attempt.identity.login or (
            caller.same_as(attempt.identity) and task.is_of(caller)
        )
        return attempt if is_users and attempt.ref.org_name == self.org_name else None

    def _is_newer(self, reference: Reference, task: RemoteTask) -> bool:
        record = self._ledger.records.get(TaskRef(self.org_name, reference.key))
        if record is None:
            return True
        own = self._state.provenance.id
        recorded = Reference.parse(record.reference)
        if recorded is None or record.number:  # sent by this state, or named by a person
            return self._number(reference) > record.number
        if reference.state in (own, recorded.state):
            return reference.state == own or reference.number > recorded.number
        since = instant(record.outputs.get("createdAt")) or record.created_at
        return (task.created_at or _NEVER) > (since or _NEVER)

    def _add_duplicate(self, task: RemoteTask, owner: Owner) -> None:
        is_ours = (task.creator_login or "") in self._users
        self.duplicates.append(Duplicate(*owner, task, is_ours))

    def _replaced(self, task: RemoteTask, reference: Reference) -> None:
        ref = TaskRef(self.org_name, reference.key)
        record = self._ledger.records[ref]
        former = tuple(dict.fromkeys((task.id, *record.former)))
        spent = tuple(dict.fromkeys((str(reference), *record.spent)))
        record = replace(record, former=former, spent=spent)
        self._append(Recorded(record))
        self._owners |= _owned(record)
        self.replaced.append(Replaced(ref, task.id))

    def _unreadable(self, task: RemoteTask, known: TaskId) -> None:
        """Blocks the organization if this state may have created the task. A state that was
        restored from a backup may lack the user who created a task that fails to be read."""
        may_be_ours = not self._was_explained or self._may_be_of_users(task)
        if may_be_ours or known in self._facts.failed:
            self.blocks.append(
                Block(known, task.creator_login or "", self._facts.unreadable[known])
            )

    def _may_be_of_users(self, task: RemoteTask) -> bool:
        """Whether a user of this state created the task, or the creator is unknown."""
        return task.may_be_of(self._facts.identity) or task.creator_login in self._users

    def _block(self, task: RemoteTask, key: str, owner: str = "") -> None:
        known = TaskId(self.org_name, task.id)
        self.blocks.append(Block(known, task.creator_login or "", claimed=key, owner=owner))

    def _record(self, task: RemoteTask, record: Record, attempt: Attempt | None) -> None:
        old = self._ledger.records.get(record.ref)
        closed = self._ledger.closed.get(record.ref, ())
        spent = tuple(text for text in closed if text != record.reference)
        record = replace(record, spent=spent)
        record = record.in_place_of(old, attempt.replaces if attempt is not None else "")
        self.found[record.ref] = Found(record, task, attempt)
        self._append(Recorded(record))
        self._owners |= _owned(record)

    def _append(self, event: Event) -> None:
        self.events.append(event)
        self._ledger.add([event])

    def _of_attempt(self, task: RemoteTask, attempt: Attempt, reference: Reference) -> Record:
        record = Record.of(attempt, task.id, attempt.identity, self._facts.clocks.moment)
        return replace(
            record,
            number=self._number(reference),
            pending=patch_after_create(attempt.inputs),
            outputs=kept_outputs(task.raw),
            changes=attempt.found(),
        )

    def _of_message(self, task: RemoteTask, message: FirstMessage, reference: Reference) -> Record:
        ref = TaskRef(self.org_name, reference.key)
        desired, old = self._declared.tasks.get(ref), self._ledger.records.get(ref)
        inputs = shown_inputs(task, message, desired.inputs if desired is not None else None)
        record = Record(
            ref=ref,
            task_id=task.id,
            reference=str(reference),
            number=self._number(reference),
            file=desired.file if desired is not None else old.file if old is not None else "",
            inputs=inputs,
            digest=digest(inputs),
            identity=task.owner(self._facts.identity),
            created_at=task.created_at or self._facts.clocks.moment,
            outputs=kept_outputs(task.raw),
            generated=self._declared.generated(ref),
        )
        return record.as_adopted()

    def baseline(self, after: State) -> Iterator[Event]:
        """Moves the baseline if everything was explained and recorded."""
        is_open = any(attempt.ref.org_name == self.org_name for attempt in after.attempts.values())
        is_explained = self.org_name in after.provenance.explained
        if self.blocks or self.others or is_open or self.listing.unproven is not None:
            return
        if after.baseline(self.org_name, self._facts.identity) != self.listing.newest:
            yield BaselineMoved(self.listing.newest)
        if not (is_explained or self.listing.is_part):
            yield Learned(replace(after.provenance, explained=(self.org_name,)))


def _owned(record: Record) -> dict[str, Owner]:
    return dict.fromkeys(record.references, Owner(record.ref, record.task_id, record.file))


def shown_inputs(task: RemoteTask, message: FirstMessage, desired: Inputs | None) -> Inputs:
    """The inputs of a task as the service shows them. The manifest supplies what the API does not
    return."""
    shown = {
        name: value
        for name, value in task.raw.items()
        if (known := BY_NAME.get(name)) is not None and known.returned and value is not None
    }
    if desired is None:
        # A setting without a default may come from the organization.
        own = {n: v for n, v in shown.items() if n in DEFAULTS and v != DEFAULTS[n]}
        return {**own, **inputs_of(message)}
    inputs = {name: shown.get(name, value) for name, value in desired.items()}
    if "message" in desired and shows_work(message, desired):
        return inputs
    return {**inputs, **inputs_of(message)}


def _verdict(
    attempt: Attempt,
    organization: _Organization | None,
    facts: Facts,
    left: float,
) -> Open | None:
    """Why an attempt whose reference was not found stays open; None if it created no task."""
    org_name = attempt.ref.org_name
    if org_name in facts.refused:
        why = remark("org.refused", org=org_name, why=facts.refused[org_name])
        return Open(Reason.UNREADABLE, why)
    if organization is None:
        return Open(Reason.SETTLING, seconds=left)
    if not facts.identity.same_as(attempt.identity):
        why = remark("attempt.other_identity", who=attempt.identity.name)
        return Open(Reason.OTHER_IDENTITY, why)
    if left > 0:
        return Open(Reason.SETTLING, seconds=left)
    if organization.listing.unproven is not None:
        why = remark("list.unproven", why=organization.listing.unproven)
        return Open(Reason.UNREADABLE, why)
    if organization.blocks or organization.others:
        return Open(Reason.BLOCKED, remark("attempt.blocked", org=org_name))
    if organization.without_reference:
        ids = tuple(task.id for task in organization.without_reference)
        only = organization.without_reference[0] if len(ids) == 1 else None
        return Open(Reason.AMBIGUOUS, remark("attempt.possible", ids=ids), candidate=only)
    return None
