"""Keys without a task that may be another name of a key that has one. Pure."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

from reconciler.model.remarks import Remark, remark
from reconciler.model.task import DesiredTask, TaskRef
from reconciler.plan.lookup import is_comparable, moved_ref, notes_of
from reconciler.plan.plan import Action, PlannedTask, Reason
from reconciler.plan.planned import plan_for
from reconciler.plan.undeclared import Renames, Undeclared
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record, State


class NameRules:
    """The rules about names; the first that decides wins. `partial` are the entries with tasks that
    the plan leaves out. `suspected` collects the former keys that keys may be new names of."""

    def __init__(
        self,
        state: State,
        undeclared: Undeclared,
        renames: Renames,
        partial: Collection[TaskRef] = (),
    ) -> None:
        self._state, self._undeclared, self._renames = state, undeclared, renames
        self._partial = partial
        self.suspected: dict[TaskRef, DesiredTask] = {}

    def decide(self, task: DesiredTask) -> PlannedTask | None:
        """Why the key must not be created; None if it may be."""
        planned = self._other_org(task)
        if planned is not None or not is_comparable(task, self._state):
            return planned
        return self._moved_from_nowhere(task) or self._renamed(task)

    def _other_org(self, task: DesiredTask) -> PlannedTask | None:
        """A key that was recorded or attempted under another organization."""
        former = self._undeclared.in_other_org(task)
        if former is None:
            return None
        if isinstance(former, Attempt):
            case = "otherOrg.attempt"
        else:
            case = "otherOrg.manifest" if task.org_from_manifest else "otherOrg.recorded"
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
        """A `movedFrom` that names nothing known, which is probably a typo: a create could start a
        second agent. A generated key whose entry has tasks is a new row."""
        old, state = moved_ref(task), self._state
        if old is None or state.attempts_of({task.ref, old}):
            return None
        if state.notes_on(old).removed or notes_of(task, state).removed:
            return None
        near = self._renames.nearest(old)
        if near is None or self._is_new_row(task):
            return None
        case = "movedFrom.near" if near else "movedFrom.unknown"
        for key in near:
            self._suspect(TaskRef(old.org_name, key), task)
        facts = {"old": old.key, "near": near[0] if near else None, "key": task.key}
        explanation = remark(case, ref=str(task.ref), **facts)
        return plan_for(task, Action.UNRESOLVED, Reason.RENAMED, explanation)

    def _is_new_row(self, task: DesiredTask) -> bool:
        return task.entry in self._entries

    @cached_property
    def _entries(self) -> Collection[TaskRef]:
        """The entries with a recorded or attempted task."""
        known: list[Record | Attempt] = [*self._state.records.values()]
        known += self._state.attempts.values()
        return {TaskRef(k.ref.org_name, k.generated.entry) for k in known if k.generated}

    def _renamed(self, task: DesiredTask) -> PlannedTask | None:
        """A key with the same work as an orphaned one, or with its name in another case: it may be
        renamed, or a new task."""
        match = self._renames.find(task)
        if match is None:
            return None
        former, is_read = match
        self._suspect(former.ref, task)
        facts = {"old": former.ref.key, "old_ref": str(former.ref), "ref": str(task.ref)}
        if not is_read:
            explanation = [remark("renamed.outside", file=former.file, **facts)]
        elif task.entry not in self._partial and (entry := _renamed_entry(task, former)):
            explanation = [entry]
        else:
            is_same = former.ref.key.casefold() == task.key.casefold()
            case = "renamed.case" if is_same else "renamed.from"
            hint = "renamed.key" if task.origin is None else "renamed.row"
            explanation = [remark(case, old=former.ref.key), remark(hint, **facts)]
        return plan_for(task, Action.UNRESOLVED, Reason.RENAMED, *explanation)

    def _suspect(self, former: TaskRef, task: DesiredTask) -> None:
        """Of several possible new names of a key, the first one in order, whichever is planned
        first."""
        known = self.suspected.get(former)
        if known is None or task.ref < known.ref:
            self.suspected[former] = task


def _renamed_entry(task: DesiredTask, former: Record | Attempt) -> Remark | None:
    """How to say that a whole entry was renamed; None if more than its name differs."""
    if task.origin is None or former.generated is None:
        return None
    old, new, org_name = former.generated.entry, task.origin.generated.entry, task.ref.org_name
    if old == new or former.ref.key.removeprefix(old) != task.key.removeprefix(new):
        return None
    globs = {"old_glob": f"{org_name}/{old}@*", "new_glob": f"{org_name}/{new}@*"}
    return remark("renamed.entry", old=old, new=new, added=task.origin.key, **globs)
