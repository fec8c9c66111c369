"""A state that begins, or takes the place of a lost state: only a person knows which."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from pathlib import Path

from reconciler.app.context import Context
from reconciler.app.reading import Reader
from reconciler.app.recorded_tasks import confirm
from reconciler.app.workspace import Workspace
from reconciler.model.codes import Code
from reconciler.model.diagnostics import StateError
from reconciler.model.reference import is_state_id
from reconciler.model.task import TaskRef, natural
from reconciler.model.value import Value, replace
from reconciler.plan.explain import explain
from reconciler.plan.explanation import Declared, Explanation, Found, OtherState, Replaced
from reconciler.plan.facts import Facts
from reconciler.plan.keys import moved_ref, record_of
from reconciler.plan.needs import Depth, need_to_explain
from reconciler.state.attempt import Provenance
from reconciler.state.local import LocalState
from reconciler.state.model import Event, Forgotten, Learned, Recorded, State
from reconciler.state.session import Session


def begin_state(ctx: Context) -> None:
    """Notes that apply begins a new state file, and which files may be left of an earlier state."""
    location = ctx.location
    if isinstance(location, LocalState) and location.is_new:
        others = (*left_of(location), *_in_parents(ctx))
        if others or not ctx.backend.is_local:
            note_new(ctx, location, others)


def note_new(ctx: Context, location: LocalState, others: tuple[str, ...]) -> None:
    """Notes that there is no state file, and which `others` a user may have meant."""
    case = "begins_state_below" if others else "begins_state"
    ctx.ui.note(case, file=location.display_name, others=others)


def left_of(location: LocalState) -> tuple[str, ...]:
    """The backup of a state file that is missing."""
    return (f"{location.display_name}.backup",) if location.backup.exists() else ()


def _in_parents(ctx: Context) -> tuple[str, ...]:
    """The state files of the same name in the directories above, up to the repository's root."""
    name, here, found = Path(ctx.state_address), ctx.settings.folder.resolve(), []
    for folder in (here, *here.parents) if not name.is_absolute() else ():
        if folder != here and (folder / name).exists():
            found.append(str(folder / name))
        if os.path.lexists(folder / ".git"):
            break
    return tuple(found)


def is_new(state: State) -> list[Event]:
    """The events that record that a state replaces no lost state; none if that is recorded."""
    known = state.provenance
    return [] if known.is_new else [Learned(replace(known, is_new=True))]


def answer(
    ctx: Context,
    space: Workspace,
    session: Session,
    reader: Reader,
    questions: Mapping[str, Sequence[OtherState]],
) -> bool:
    """Asks whether the state is new, or replaces a lost one, and records the answer. Returns
    whether there is one."""
    known = {each.id for others in questions.values() for each in others}
    # One of them may be the answer again, for further organizations.
    known |= {*session.state.provenance.ids[1:]}
    line = (ctx.ui.read_line("ask.other_states") or "").strip()
    while line and line != "new" and line not in known:
        line = (ctx.ui.read_line("ask.other_states") or "").strip()
    if line == "new":
        session.append(*is_new(session.state))
        return True
    if not line:
        return False
    found = continuation(ctx, space, session.state, reader, line)
    if not confirm_continuation(ctx, found, yes=False):
        return False
    session.append(*found.events)
    return True


class Continued(Value, frozen=True):
    """A state that continues another one: the tasks that it has `found`, and the declared keys that
    are still `missing` one; `earlier` are found tasks of keys that have a newer one. `elsewhere`
    are other states that have created a task with such a key, each with the key. Nothing is known
    about the keys of organizations that are `not_listed`: the service does not show them to this
    identity. `changed` is False if nothing had to be recorded; in a dry run, nothing was."""

    location: str
    id: str
    found: tuple[Found, ...] = ()
    missing: tuple[TaskRef, ...] = ()
    undeclared: tuple[TaskRef, ...] = ()
    earlier: tuple[Replaced, ...] = ()
    elsewhere: tuple[tuple[str, str], ...] = ()
    not_listed: tuple[str, ...] = ()
    changed: bool = True
    is_dry_run: bool = False


_SHOWN = 10
"""The number of keys that are listed; the others are counted."""


class Continuation(Value, frozen=True):
    """What `state init --continue` found, and the events that record it."""

    result: Continued
    events: tuple[Event, ...] = ()


def continuation(
    ctx: Context,
    space: Workspace,
    state: State,
    reader: Reader,
    state_id: str,
    location: str | None = None,
) -> Continuation:
    """Finds the tasks that the lost state `state_id` has created, to be recorded at `location`;
    changes nothing. Raises TaskctlError."""
    if not is_state_id(state_id):
        raise StateError.of(Code.STATE_EDIT, "state-id", id=state_id)
    facts = _read_all(space, state, reader)
    joined = _joined(state.provenance, state_id, facts)
    before = replace(state, provenance=joined)
    declared = Declared.of(space.desired, space.manifests.recurring)
    settle = space.options.settle_time
    explanation = explain(before, facts, declared, settle, continues=True)
    _refuse_unclear(facts, explanation, state_id)
    moves = _moves(explanation.state, declared)
    news = {old: new.record.ref for old, new in moves}
    missing, undeclared = _compared(explanation, declared, news, facts)
    result = Continued(
        location or ctx.location.display_name,
        state_id,
        tuple(sorted(explanation.found, key=lambda each: natural(each.record.ref))),
        missing,
        undeclared,
        _earlier(state, explanation),
        _elsewhere(facts, missing, explanation.state),
        tuple(sorted(facts.hidden)),
    )
    events: list[Event] = [Learned(joined, continues=True), *explanation.events]
    events += [event for old, new in moves for event in (new, Forgotten(old))]
    events += explanation.notes
    after = explanation.state.provenance
    if facts.hidden:  # other states may have tasks there that nobody has seen
        known = state.provenance.answered
        after, events = replace(after, answered=known), [_answering(e, known) for e in events]
    if after == state.provenance and not explanation.events:
        return Continuation(replace(result, changed=False))
    return Continuation(result, tuple(events))


def _answering(event: Event, answered: tuple[str, ...]) -> Event:
    """The event, with only these states as answered."""
    if isinstance(event, Learned):
        return replace(event, provenance=replace(event.provenance, answered=answered))
    return event


def _compared(
    explanation: Explanation,
    declared: Declared,
    news: Mapping[TaskRef, TaskRef],
    facts: Facts,
) -> tuple[tuple[TaskRef, ...], tuple[TaskRef, ...]]:
    """The declared keys without a task in an organization that was listed, and the keys of found
    tasks that are not declared. `news` are the new keys of those that move."""
    after = explanation.state
    missing = [
        ref
        for ref, task in declared.tasks.items()
        if record_of(task, after) is None and ref.org_name not in facts.hidden
    ]
    found = sorted((each.record.ref for each in explanation.found), key=natural)
    undeclared = (news.get(ref, ref) for ref in found)
    return (
        tuple(sorted(missing, key=natural)),
        tuple(ref for ref in undeclared if ref not in declared.tasks),
    )


def _earlier(before: State, explanation: Explanation) -> tuple[Replaced, ...]:
    """The tasks of keys that have a newer task, unless `before` knows them as earlier tasks."""
    found = (each.record for each in explanation.found)
    earlier = [
        Replaced(record.ref, task_id)
        for record in found
        for task_id in record.former
        if (old := before.records.get(record.ref)) is None or task_id not in old.former
    ]
    return tuple(dict.fromkeys((*earlier, *explanation.replaced)))


def _elsewhere(
    facts: Facts, missing: Collection[TaskRef], state: State
) -> tuple[tuple[str, str], ...]:
    """The other states that have created a task with a key that has none, and the key."""
    found = set()
    for task, message in facts.messages.items():
        reference = message.reference if message is not None else None
        if reference is None or state.is_ours(reference):
            continue
        if TaskRef(task.org_name, reference.key) in missing:
            found.add((reference.state, reference.key))
    return tuple(sorted(found))


def _read_all(space: Workspace, state: State, reader: Reader) -> Facts:
    """All tasks of the organizations that the state or the manifests name."""
    survey, settle = reader.survey, space.options.settle_time
    identity, clocks = survey.begin()
    names = {task.ref.org_name for task in space.desired}
    names |= {ref.org_name for ref in state.records}
    needed = [
        replace(need_to_explain(name, state, identity, clocks.moment - settle), depth=Depth())
        for name in sorted(names)
    ]
    return survey.read(identity, clocks, needed)


def _joined(known: Provenance, state_id: str, facts: Facts) -> Provenance:
    """The provenance of a state that now also continues `state_id`. The person has seen the IDs of
    all states in the list, so no later plan asks about them."""
    shown = (message.reference for message in facts.messages.values() if message is not None)
    seen = {reference.state for reference in shown if reference is not None}
    ids = tuple(dict.fromkeys((*known.ids, state_id)))
    answered = tuple(sorted({*known.answered, *seen} - {*ids}))
    explained = known.explained
    if state_id not in known.ids:  # organizations without a list may have more of its tasks
        explained = tuple(name for name in explained if name in facts.lists)
    return replace(known, ids=ids, answered=answered, explained=explained)


def _refuse_unclear(facts: Facts, explanation: Explanation, state_id: str) -> None:
    """Raises TaskctlError unless everything could be read, apart from organizations that are
    hidden, and the state has tasks."""
    _refuse_unlisted(facts, facts.refused.keys() - facts.hidden)
    for org_name, listing in sorted(facts.lists.items()):
        if listing.unproven is not None:
            raise StateError.of(Code.STATE_EDIT, "unlisted", org=org_name, why=listing.unproven)
    for org_name, blocks in sorted(explanation.blocks.items()):
        first = blocks[0]
        name = f"{org_name}/{first.task.id}"
        case = "unexplained.elsewhere" if first.owner else "unexplained"
        raise StateError.of(Code.STATE_EDIT, case, task=name, why=first.why, owner=first.owner)
    shown = (message.reference for message in facts.messages.values() if message is not None)
    records, retired = explanation.state.records.values(), explanation.state.retired.values()
    known = {text for record in records for text in record.references}
    known |= {text for task in retired for text in (task.reference, *task.spent)}
    seen = {reference.state for reference in shown if reference is not None}
    if state_id not in seen and not any(text.endswith(f" {state_id}") for text in known):
        _refuse_unlisted(facts, facts.hidden)  # its tasks may be there
        others = sorted(seen - {*explanation.state.provenance.ids})
        case = "no-tasks.others" if others else "no-tasks"
        named, more = tuple(others[:_SHOWN]), max(0, len(others) - _SHOWN)
        raise StateError.of(Code.STATE_EDIT, case, id=state_id, others=named, more=more)


def _refuse_unlisted(facts: Facts, org_names: Collection[str]) -> None:
    for org_name in sorted(org_names):
        why = facts.refused[org_name]
        raise StateError.of(Code.STATE_EDIT, "unlisted", org=org_name, why=why)


def _moves(state: State, declared: Declared) -> list[tuple[TaskRef, Recorded]]:
    """The records under the new keys that `movedFrom` gives them, each with the old key."""
    moves = []
    for ref, task in declared.tasks.items():
        old = moved_ref(task)
        record = state.records.get(old) if old is not None else None
        if old is not None and record is not None and ref not in state.records:
            made = task.generated
            moves.append((old, Recorded(replace(record, ref=ref, file=task.file, generated=made))))
    return moves


def confirm_continuation(
    ctx: Context, found: Continuation, *, yes: bool, address: str | None = None
) -> bool:
    """Shows what the lost state has created, and asks whether to record it. `address` is that of
    the state, if it was given. Raises TaskctlError without a terminal."""
    show_continuation(ctx, found.result)
    if not found.events:
        return True
    given = () if address is None else (address,)
    again = ("state", "init", *given, "--continue", found.result.id, "-y")
    return confirm(ctx, "ask.continue", yes=yes, again=again, refs=(found.result.id,))


def show_continuation(ctx: Context, result: Continued) -> None:
    """Shows the tasks that the lost state has created, and the keys without one, unless nothing has
    to be recorded; and where others may be."""
    if result.changed:
        _show_tasks(ctx, result)
    if result.not_listed:
        ctx.ui.note("continues_not_listed", orgs=result.not_listed)
    for other, key in result.elsewhere[:_SHOWN]:
        ctx.ui.note("continues_elsewhere", id=other, key=key)


def _show_tasks(ctx: Context, result: Continued) -> None:
    rows = [
        (
            each.record.ref.key,
            each.remote.id,
            f"{each.remote.created_at.astimezone(UTC):%Y-%m-%d}" if each.remote.created_at else "",
            each.remote.creator_login or "",
        )
        for each in result.found
    ]
    ctx.ui.note("continues_state" if rows else "continues_nothing", id=result.id, count=len(rows))
    for key, task_id, date, login in rows:
        ctx.ui.note("continues_task", key=key, task_id=task_id, date=date, login=login)
    for ref, task_id in result.earlier:
        ctx.ui.note("continues_earlier", key=ref.key, task_id=task_id)
    for case, refs in (
        ("continues_missing", result.missing),
        ("continues_more", result.undeclared),
    ):
        if refs:
            keys = tuple(ref.key for ref in refs[:_SHOWN])
            ctx.ui.note(case, keys=keys, more=max(0, len(refs) - _SHOWN))
