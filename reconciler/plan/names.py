"""Keys in the state that no manifest declares, and keys that may be their new names. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property

from reconciler.model.remarks import Remark, remark
from reconciler.model.similarity import SimilaritySearches
from reconciler.model.task import DesiredTask, Inputs, Removal, TaskRef, text_of
from reconciler.model.task_state import TaskState
from reconciler.model.work import comparable_text, is_same_work
from reconciler.plan.keys import moved_ref, record_of
from reconciler.plan.periods import Periods
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import PlannedFields, is_left, plan_for
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class Renames:
    """Finds the old key of a key that may have been renamed: an undeclared key that does the same
    work, or differs only in case."""

    def __init__(self, orphans: Iterable[Record | Attempt]) -> None:
        self._known: dict[tuple[str, str], list[Record | Attempt]] = {}
        self._keys: dict[str, list[str]] = {}
        self._searches = SimilaritySearches()
        self.entries = set[TaskRef]()
        for task in orphans:
            if task.generated is not None:
                self.entries.add(TaskRef(task.ref.org_name, task.generated.entry))
            self._keys.setdefault(task.ref.org_name, []).append(task.ref.key)
            texts = (text for inputs in _versions(task) for text in _texts(inputs))
            for name in {task.ref.key.casefold(), *texts}:
                self._known.setdefault((task.ref.org_name, name), []).append(task)

    def nearest(self, old: TaskRef) -> tuple[str, ...] | None:
        """The most similar known key, if any is similar; None if the organization has no key that
        may have been renamed."""
        keys = self._keys.get(old.org_name)
        if not keys:
            return None
        may_compare = self._searches.may_compare(old.key, keys)
        return tuple(get_close_matches(old.key, keys, n=1)) if may_compare else ()

    def find(self, task: DesiredTask) -> Record | Attempt | None:
        """The record or attempt of the key that the task may have had before."""
        if not self._known:
            return None
        org_name, name = task.ref.org_name, task.key.casefold()
        for former in self._known.get((org_name, name), ()):
            if former.ref.key.casefold() == name:
                return former
        inputs = _unwrapped(task.inputs)
        for text in _texts(task.inputs):
            for former in self._known.get((org_name, text), ()):
                if any(is_same_work(inputs, _unwrapped(each)) for each in _versions(former)):
                    return former
        return None


def _versions(known: Record | Attempt) -> tuple[Inputs, ...]:
    return known.versions if isinstance(known, Record) else (known.inputs,)


def _texts(inputs: Inputs) -> Iterator[str]:
    """The text that is equal for inputs with the same prompt."""
    text = text_of(_unwrapped(inputs))
    if text is not None:
        yield f"\n{comparable_text(text)}"  # no key contains a line break


def _unwrapped(inputs: Inputs) -> Inputs:
    """The inputs with the prompt on one line, because a person who renames a task may also change
    its line breaks."""
    text = text_of(inputs)
    if text is None:
        return inputs
    return {**inputs, "message": {**inputs["message"], "content": " ".join(text.split())}}


def _forget(record: Record, removal: Removal, state: TaskState | None) -> PlannedTask:
    """Plans the removal of a record. `state` is the state of its task; None if it could not be
    read."""
    left = is_left(state)
    ids, name = (record.task_id,), f"{record.ref.org_name}/{record.task_id}"
    case = "forget.unfinished" if left else "forget"
    explanation = remark(case, file=removal.file, ids=ids, more=0, task=name)
    fields: PlannedFields = {"file": removal.file, "unfinished": left}
    return plan_for(record, Action.FORGET, Reason.LISTED, explanation, **fields)


class Undeclared:
    """The keys in a state that no manifest declares. `moves` maps former keys to the keys that
    their tasks move to. `removed` are the items under `removed` in manifests."""

    def __init__(
        self,
        state: State,
        desired: Mapping[TaskRef, DesiredTask],
        moves: Mapping[TaskRef, TaskRef],
        periods: Periods,
        removed: Sequence[Removal],
    ) -> None:
        self._state, self._desired, self._moves = state, desired, moves
        self._periods, self._removed = periods, removed
        self._to_forget: list[tuple[Record, Removal]] = []
        self._orphans: list[Record] = []
        for ref in sorted(state.records.keys() - desired.keys() - moves.keys()):
            record, removal = state.records[ref], self._removal_of(ref)
            if removal is not None:
                self._to_forget.append((record, removal))
            elif not periods.is_past(record):
                self._orphans.append(record)
        self._by_key: dict[str, list[Record | Attempt]] = {}
        others: list[Record | Attempt] = [*self._orphans, *self.attempts()]
        for known in others:
            self._by_key.setdefault(known.ref.key, []).append(known)

    def planned(
        self, suspected: Mapping[TaskRef, DesiredTask], states: Mapping[TaskRef, TaskState]
    ) -> Iterator[PlannedTask]:
        """Plans the records. `suspected`: the possible new names of keys. `states` are the states
        of the tasks to forget."""
        for record, removal in self._to_forget:
            yield _forget(record, removal, states.get(record.ref))
        new_keys = self._new_keys()
        for record in self._orphans:
            yield self._orphaned(record, suspected.get(record.ref), new_keys.get(record.ref))

    def _orphaned(
        self, record: Record, new: DesiredTask | None, new_key: TaskRef | None
    ) -> PlannedTask:
        """Plans the record of a key that is not declared. `new`: a task that may be the same job
        under a new name; `new_key`: the only new key of its entry."""
        entry = record.generated.entry if record.generated is not None else None
        is_row, facts = (
            self._periods.is_generating(record),
            {"ref": str(record.ref), "entry": entry},
        )
        if new is not None:
            name = new.key if new.declared_key == entry else new.declared_key
            explanation = remark("orphaned.renamed", new=name)
        elif not is_row:
            explanation = remark("orphaned", **facts)
        elif new_key is None:
            explanation = remark("orphaned.row", **facts)
        else:
            explanation = remark("orphaned.newRow", **facts, to=str(new_key), new=new_key.key)
        reason = Reason.NOT_GENERATED if is_row else Reason.REMOVED
        return plan_for(record, Action.ORPHANED, reason, explanation)

    def _new_keys(self) -> dict[TaskRef, TaskRef]:
        """For each entry with one orphan and one key that has no task and no attempt, these two: a
        value of the entry may have been renamed."""
        old: dict[TaskRef, list[TaskRef]] = {}
        new: dict[TaskRef, list[TaskRef]] = {}
        for record in self._orphans:
            if record.generated is not None:
                entry = TaskRef(record.ref.org_name, record.generated.entry)
                old.setdefault(entry, []).append(record.ref)
        if not old:
            return {}
        for ref, task in self._desired.items():
            if task.entry in old and self._is_without_task(task):
                new.setdefault(task.entry, []).append(ref)
        return {
            olds[0]: news[0]
            for entry, olds in old.items()
            if len(olds) == len(news := new.get(entry, [])) == 1
        }

    def _is_without_task(self, task: DesiredTask) -> bool:
        is_named = task.task_id is not None or record_of(task, self._state) is not None
        return not (is_named or self._state.attempts_of({task.ref, moved_ref(task)}))

    def _removal_of(self, ref: TaskRef) -> Removal | None:
        return next((removal for removal in self._removed if removal.matches(*ref)), None)

    def attempts(self) -> list[Attempt]:
        """The open attempts whose keys are no longer in the manifests."""
        return [
            attempt
            for _, attempt in sorted(self._state.attempts.items())
            if self._moves.get(attempt.ref, attempt.ref) not in self._desired
        ]

    def renames(self) -> Renames:
        """The keys of tasks that exist or may exist and that may have been renamed. Past periods do
        not count: the next period often has the same prompt."""
        tried = (a for a in self.attempts() if not self._periods.is_past(a))
        return Renames([*tried, *self._orphans])

    def in_other_org(self, task: DesiredTask) -> Record | Attempt | None:
        """The record or attempt for the task's key, or for its former key, in another organization:
        creating it could start a second agent."""
        matches = [
            known
            for key in dict.fromkeys((task.key, task.moved_from))
            for known in self._by_key.get(key or "", ())
            if known.ref.org_name != task.org_name
        ]
        return min(matches, key=lambda other: (other.ref, isinstance(other, Attempt)), default=None)


class NameRules:
    """The rules about names, tried until a rule decides. `partial` are the entries with tasks that
    the plan leaves out. `suspected` collects keys that may have been renamed."""

    def __init__(
        self, state: State, undeclared: Undeclared, partial: Collection[TaskRef] = ()
    ) -> None:
        self._state, self._undeclared = state, undeclared
        self._renames, self._partial = undeclared.renames(), partial
        self.suspected: dict[TaskRef, DesiredTask] = {}

    def decide(self, task: DesiredTask) -> PlannedTask | None:
        """The reason why the key must not be created; None if it may be created."""
        return self._other_org(task) or self._moved_from_nowhere(task) or self._renamed(task)

    def _other_org(self, task: DesiredTask) -> PlannedTask | None:
        """A key that was recorded or attempted under another organization."""
        former = self._undeclared.in_other_org(task)
        if former is None:
            return None
        what = "attempt" if isinstance(former, Attempt) else "record"
        case = f"otherOrg.{what}.{'manifest' if task.org_from_manifest else 'option'}"
        explanation = remark(
            case,
            recorded=former.ref.org_name,
            org=task.ref.org_name,
            file=task.file,
            old_ref=str(former.ref),
            ref=str(task.ref),
        )
        return plan_for(task, Action.UNRESOLVED, Reason.OTHER_ORG, explanation)

    def _moved_from_nowhere(self, task: DesiredTask) -> PlannedTask | None:
        """A `movedFrom` with an unknown key, which is probably a typo: creating the task could
        start a second agent. A generated key whose entry has tasks is a new row."""
        old, state = moved_ref(task), self._state
        if old is None or state.attempts_of({task.ref, old}):
            return None
        near = self._renames.nearest(old)
        if near is None or self._is_new_row(task, old):
            return None
        case = "movedFrom.near" if near else "movedFrom.unknown"
        for key in near:
            self._suspect(TaskRef(old.org_name, key), task)
        facts = {"old": old.key, "near": near[0] if near else None, "key": task.key}
        explanation = remark(case, ref=str(task.ref), **facts)
        return plan_for(task, Action.UNRESOLVED, Reason.RENAMED, explanation)

    def _is_new_row(self, task: DesiredTask, old: TaskRef) -> bool:
        """Whether its entry has tasks, and the entry that `movedFrom` names has no orphaned key."""
        former = TaskRef(old.org_name, old.key.partition("@")[0])
        return task.entry in self._entries and former not in self._renames.entries

    @cached_property
    def _entries(self) -> Collection[TaskRef]:
        """The entries with a recorded or attempted task."""
        known: list[Record | Attempt] = [*self._state.records.values()]
        known += self._state.attempts.values()
        return {TaskRef(k.ref.org_name, k.generated.entry) for k in known if k.generated}

    def _renamed(self, task: DesiredTask) -> PlannedTask | None:
        """A key with the same work as an orphaned key, or with its name in another case: it may be
        renamed, or a new task."""
        former = self._renames.find(task)
        if former is None:
            return None
        self._suspect(former.ref, task)
        old, new = former.ref, task.ref
        facts = {"old": old.key, "old_ref": str(old), "key": new.key, "ref": str(new)}
        if task.entry not in self._partial and (entry := _renamed_entry(task, former)):
            explanation = [entry]
        else:
            is_same = former.ref.key.casefold() == task.key.casefold()
            case = "renamed.case" if is_same else "renamed.from"
            hint = "renamed.key" if task.origin is None else "renamed.row"
            explanation = [remark(case, old=former.ref.key), remark(hint, **facts)]
        return plan_for(task, Action.UNRESOLVED, Reason.RENAMED, *explanation)

    def _suspect(self, former: TaskRef, task: DesiredTask) -> None:
        """Notes a possible new name of a key: of several, the first in order, independent of the
        order of planning."""
        known = self.suspected.get(former)
        if known is None or task.ref < known.ref:
            self.suspected[former] = task


def _renamed_entry(task: DesiredTask, former: Record | Attempt) -> Remark | None:
    """The hints to rename a whole entry; None if more than its name differs."""
    if task.origin is None or former.generated is None:
        return None
    old, new, org_name = former.generated.entry, task.origin.generated.entry, task.ref.org_name
    if old == new or former.ref.key.removeprefix(old) != task.key.removeprefix(new):
        return None
    globs = {"old_glob": f"{org_name}/{old}@*", "new_glob": f"{org_name}/{new}@*"}
    return remark("renamed.entry", old=old, new=new, added=task.origin.key, **globs)
