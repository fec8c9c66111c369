"""The plan: a frozen value with the action for each task and the inputs of the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Any, Literal, NamedTuple, Self

from reconciler.model.budget import Outlook
from reconciler.model.canonical import ABSENT
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Severity
from reconciler.model.fields import PATCHED
from reconciler.model.options import PlanOptions
from reconciler.model.reference import PREFIX
from reconciler.model.remarks import Remark
from reconciler.model.service import Identity, RemoteTask
from reconciler.model.task import DesiredTask, Generated, TaskRef, is_unattended
from reconciler.model.value import Stored, Value, field
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record


class Effect(Enum):
    """The effect of apply on a task. CREATE may replace a task; FINISH sets name and sharing after
    creation; WAIT resolves an attempt once it is old enough."""

    NOTHING = auto()
    CREATE = auto()
    ADOPT = auto()
    MOVE = auto()
    UPDATE = auto()
    FORGET = auto()
    FINISH = auto()
    WAIT = auto()


class Action(StrEnum):
    """The action for a task, in the order of reports. `sign` and `color` (of `Palette`) are for
    reports; `effect` is the effect of apply, unless the reason determines it."""

    CREATE = "create", "+", "green", Effect.CREATE
    REPLACE = "replace", "-/+", "green", Effect.CREATE
    ADOPT = "adopt", ">", "cyan", Effect.ADOPT
    MOVE = "move", ">", "cyan", Effect.MOVE
    UPDATE = "update", "~", "yellow", Effect.UPDATE
    CHANGED = "changed", "*", "yellow", Effect.NOTHING
    GONE = "gone", "!", "red", Effect.NOTHING
    FORGET = "forget", "-", "red", Effect.FORGET
    ORPHANED = "orphaned", "#", "blue", Effect.NOTHING
    HELD = "held", ".", "blue", Effect.NOTHING
    UNCHANGED = "unchanged", "=", "dim", Effect.NOTHING
    UNRESOLVED = "unresolved", "?", "magenta", Effect.NOTHING

    sign: str
    color: str
    effect: Effect

    def __new__(cls, value: str, sign: str, color: str, effect: Effect) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.sign, member.color, member.effect = sign, color, effect
        return member


class Reason(StrEnum):
    """The reason for a task's action. Programs that read plan documents must ignore unknown
    reasons."""

    NEW = "new"  # create: not created yet
    RETRY = "retry"  # create: an earlier attempt created no task
    TASK_ID = "taskID"  # adopt: the manifest specifies the task
    REFERENCE = "reference"  # adopt: the task says that it is for this key
    MOVED = "moved"  # move: recorded under movedFrom
    ASKED = "asked"  # replace: requested with --replace
    IN_PLACE = "inPlace"  # update: settings that --update may change
    CHANGED = "changed"  # changed: the record or the service differs from the manifest
    UNFINISHED = "unfinished"  # changed: name or isShared still have to be set
    NOT_FOUND = "notFound"  # gone: the service returned 404 twice
    RECREATE = "recreate"  # gone, and allowed by --allow-recreate: apply creates it again
    LISTED = "listed"  # forget: listed under `removed` in a manifest
    REMOVED = "removed"  # orphaned: no longer in any manifest
    NOT_GENERATED = "notGenerated"  # orphaned: its entry no longer generates it
    PILOT = "pilot"  # held: the pilot of the rollout is not done
    AT_ONCE = "atOnce"  # held: the entry has as many unfinished tasks as `atOnce` allows
    OVERLAP = "overlap"  # held: the task of an earlier period is not over
    AFTER = "after"  # held: a task in `after` is not done
    FULL = "full"  # held: the state has no room for it
    STOPPED = "stopped"  # held: tasks that it waits for have failed
    SAME = "same"  # unchanged
    NOT_VISIBLE = "notVisible"  # unchanged: created by another identity, and not visible
    FRESH = "fresh"  # unchanged: younger than the settle time, so the service may not show it yet
    SETTLING = "settling"  # unresolved: an attempt is younger than the settle time; apply waits
    AMBIGUOUS = "ambiguous"  # unresolved: an attempt may have created a task without a reference
    BLOCKED = "blocked"  # unresolved: a task of the organization cannot be explained
    QUESTION = "question"  # unresolved: is the state new, or does it replace a lost one?
    UNREADABLE = "unreadable"  # unresolved: not all tasks of the service could be read
    OTHER_IDENTITY = "otherIdentity"  # unresolved: the attempt was made by another identity
    OTHER_ORG = "otherOrg"  # unresolved: recorded under another organization
    RENAMED = "renamed"  # unresolved: perhaps a new name of an orphaned task
    CONFLICT = "conflict"  # unresolved: taskID was not found, or contradicts the state

    @property
    def passes(self) -> bool:
        """Whether the reason may cease to apply without a person: once another task finishes, or
        another lookup finds the outcome of an attempt."""
        match self:
            case (
                Reason.PILOT
                | Reason.AT_ONCE
                | Reason.OVERLAP
                | Reason.AFTER
                | Reason.SETTLING
                | Reason.BLOCKED
                | Reason.UNREADABLE
            ):
                return True
            case (
                Reason.NEW
                | Reason.RETRY
                | Reason.TASK_ID
                | Reason.REFERENCE
                | Reason.MOVED
                | Reason.ASKED
                | Reason.IN_PLACE
                | Reason.CHANGED
                | Reason.UNFINISHED
                | Reason.NOT_FOUND
                | Reason.RECREATE
                | Reason.LISTED
                | Reason.REMOVED
                | Reason.NOT_GENERATED
                | Reason.FULL
                | Reason.STOPPED
                | Reason.SAME
                | Reason.NOT_VISIBLE
                | Reason.FRESH
                | Reason.AMBIGUOUS
                | Reason.QUESTION
                | Reason.OTHER_IDENTITY
                | Reason.OTHER_ORG
                | Reason.RENAMED
                | Reason.CONFLICT
            ):
                return False


HoldReason = Literal[
    Reason.PILOT, Reason.AT_ONCE, Reason.OVERLAP, Reason.AFTER, Reason.FULL, Reason.STOPPED
]
"""The reasons that hold a task."""

_EFFECTS = {
    (Action.GONE, Reason.RECREATE): Effect.CREATE,
    (Action.CHANGED, Reason.UNFINISHED): Effect.FINISH,
    (Action.UNRESOLVED, Reason.SETTLING): Effect.WAIT,
}
"""The effects that depend on the reason."""


class Origin(StrEnum):
    MANIFEST = "manifest"
    REMOTE = "remote"
    BOTH = "both"


class Change(Stored, frozen=True):
    """A field: its current value, the desired value, and the side that changed it."""

    path: str
    before: Any = ABSENT
    after: Any = ABSENT
    origin: Origin = Origin.MANIFEST

    @property
    def in_place(self) -> bool:
        """Whether the task can be patched; otherwise only a new task can have the value."""
        return self.path in PATCHED and self.after is not ABSENT

    @property
    def is_fixed(self) -> bool:
        """Whether only a new task can have the value."""
        return self.path not in PATCHED

    @property
    def is_undeclared(self) -> bool:
        """Whether it is a setting that left the manifest. It cannot be reset, since the API does
        not return its default."""
        return self.path in PATCHED and self.after is ABSENT


class PlannedTask(Value, frozen=True):
    """One task, and the effect of apply on it.

    - `remarks`: facts for the reader (see `explanation`); `description`: facts about a found task,
      which a table shows in columns.
    - `attempt`: the attempt that created the task (`REFERENCE`), or an open attempt.
    - `candidate`: a task that an open attempt may have created; a person can tell.
    - `patch`: the settings to set in place; `only_recorded`: settings of the manifest that only the
      record gets.
    - `waits_for`: the tasks because of which it is held.
    - `unfinished`: the task that apply replaces or forgets may still be running.
    """

    ref: TaskRef
    action: Action
    reason: Reason
    file: str
    line: int | None = None
    task_id: str | None = None
    diff: tuple[Change, ...] = ()
    remarks: tuple[Remark, ...] = ()
    description: tuple[Remark, ...] = ()
    desired: DesiredTask | None = None
    record: Record | None = None
    remote: RemoteTask | None = None
    attempt: Attempt | None = None
    moved_from: TaskRef | None = None
    candidate: RemoteTask | None = None
    patch: Mapping[str, Any] = field(default_factory=dict)
    only_recorded: tuple[str, ...] = ()
    waits_for: tuple[TaskRef, ...] = ()
    unfinished: bool = False

    @property
    def recorded_as(self) -> TaskRef:
        """The key of its record: the former key of a task that moves."""
        return self.record.ref if self.record is not None else self.moved_from or self.ref

    @property
    def found(self) -> RemoteTask | None:
        """The task whose reference names this key, unless an open attempt has created it."""
        is_found = self.reason is Reason.REFERENCE and self.attempt is None
        return self.remote if is_found else None

    @property
    def explanation(self) -> tuple[Remark, ...]:
        """Its remarks, or the default remark for its reason, and the description of its task."""
        return (*(self.remarks or (Remark(self.reason.value),)), *self.description)

    @property
    def updated(self) -> tuple[str, ...]:
        """The settings that apply updates, at the service or only in the record."""
        return tuple(sorted({*self.patch, *self.only_recorded}))

    @property
    def generated(self) -> Generated | None:
        """The entry, values and period that generate or generated it."""
        source = self.desired or self.record or self.attempt
        return source.generated if source is not None else None

    @property
    def unattended(self) -> bool:
        """Whether it may act without approval, by its manifest (or record) or at the service."""
        known, remote = self.desired or self.record, self.remote or self.candidate
        return (known is not None and is_unattended(known.inputs)) or (
            remote is not None and is_unattended(remote.raw)
        )

    @property
    def effect(self) -> Effect:
        if self.action is Action.UNCHANGED:
            return Effect.NOTHING
        return _EFFECTS.get((self.action, self.reason), self.action.effect)

    @property
    def creates(self) -> bool:
        # The first condition is only for speed, here and in `applies`.
        return self.action is not Action.UNCHANGED and self.effect is Effect.CREATE

    @property
    def adopts(self) -> bool:
        """Whether apply records an existing task for it."""
        return self.action in (Action.ADOPT, Action.MOVE)

    @property
    def may_create(self) -> bool:
        """Whether apply creates it, now or once an attempt turns out to have created no task."""
        return self.effect in (Effect.CREATE, Effect.WAIT)

    @property
    def may_follow(self) -> bool:
        """Whether `apply --wait` may create it once other tasks are done."""
        return self.action is Action.HELD and self.reason.passes

    @property
    def is_unresolved(self) -> bool:
        """Whether apply would exit 1 because of it. Attempts within the settle time do not count,
        since apply waits for them."""
        return self.action is Action.UNRESOLVED and self.reason is not Reason.SETTLING

    @property
    def applies(self) -> bool:
        """Whether apply would act on it."""
        return self.action is not Action.UNCHANGED and self.effect is not Effect.NOTHING


class FailReason(NamedTuple):
    """The reason why apply would exit 1: a code, and the key of its task or entry, if any.
    `blocking`: apply would do nothing."""

    code: Code
    key: str | None
    blocking: bool


_WARNED: dict[tuple[Code, str], bool] = {
    (Code.BUDGET_EXHAUSTED, "planned"): True,
    (Code.STATE_FULL, "planned"): False,
}
"""The warnings of a plan that make apply exit 1, and whether they are blocking."""


class Plan(Value, frozen=True):
    """The tasks of a plan, in the order of `natural`, and the PATHs that it was made for. `lineage`
    is the state's, once it is saved. `budgets` are for the tasks to create.

    Apply records that the attempts with the references `closed` created no task, that the tasks in
    `succeeded` succeeded, and `notes`: further facts about existing tasks.
    """

    backend: str
    scope: tuple[str, ...]
    tasks: tuple[PlannedTask, ...]
    identity: Identity | None = None
    complete: bool = True
    diagnostics: tuple[Diagnostic, ...] = ()
    options: PlanOptions = field(default_factory=PlanOptions)
    lineage: str = ""
    closed: tuple[str, ...] = ()
    succeeded: tuple[TaskRef, ...] = ()
    notes: bool = False
    budgets: tuple[Outlook, ...] = ()

    @property
    def ending(self) -> str:
        """An example of the line that apply appends to prompts (the number is not known yet); empty
        if it would create no task."""
        first = next((task for task in self.tasks if task.creates), None)
        return f"{PREFIX} {first.ref.key}/..." if first is not None else ""

    def summary(self) -> dict[str, int]:
        """The number of tasks for each action, zeros included, in the order of `Action`."""
        counts = Counter(task.action for task in self.tasks)
        return {action.value: counts[action] for action in Action}

    def organizations(self) -> tuple[str, ...]:
        """The organizations of its tasks, sorted."""
        return tuple(sorted({task.ref.org_name for task in self.tasks}))

    @property
    def is_for_other(self) -> bool:
        """Whether only another user may apply it (`apply-as`). That is no failure of the plan,
        since pull requests are often planned with another token."""
        return any(d.code is Code.WRONG_IDENTITY for d in self.diagnostics)

    def fail_reasons(self) -> tuple[FailReason, ...]:
        """The reasons, other than `is_for_other`, why an apply with these options would exit 1.
        Attempts younger than the settle time do not count, since apply waits for them."""
        found = [
            FailReason(d.code, d.key, _WARNED.get((d.code, d.case), d.code is not Code.FAIL_ON))
            for d in self.diagnostics
            if d.severity is Severity.ERROR or (d.code, d.case) in _WARNED
        ]
        return *found, *(
            FailReason(Code.UNRESOLVED_TASK, task.ref.key, blocking=False)
            for task in self.tasks
            if task.is_unresolved
        )

    @property
    def followers(self) -> tuple[TaskRef, ...]:
        """The held tasks that `apply --wait` may create later."""
        return tuple(t.ref for t in self.tasks if t.may_follow) if self.options.wait else ()

    def has_changes(self) -> bool:
        """Whether apply would write or send anything, now or in a later wave."""
        others = self.followers or self.closed or self.succeeded or self.notes
        return bool(others) or any(task.applies for task in self.tasks)
