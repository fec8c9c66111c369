"""The plan: a frozen value that says what is, what would be done, and what it was made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.model.absent import ABSENT
from reconciler.model.diagnostics import Diagnostic, has_errors
from reconciler.model.entry import Generated
from reconciler.model.fields import PATCHED
from reconciler.model.remarks import Remark
from reconciler.model.task import (
    DesiredTask,
    Identity,
    RemoteTask,
    TaskRef,
    is_unattended,
)
from reconciler.plan.budget import Outlook
from reconciler.state.attempt import Attempt
from reconciler.state.model import Record


class Action(StrEnum):
    CREATE = "create"
    REPLACE = "replace"
    ADOPT = "adopt"
    MOVE = "move"
    UPDATE = "update"
    CHANGED = "changed"
    GONE = "gone"
    FORGET = "forget"
    ORPHANED = "orphaned"
    HELD = "held"
    UNCHANGED = "unchanged"
    UNRESOLVED = "unresolved"


class Reason(StrEnum):
    """Why a task has its action; a reader of the plan document may meet further ones later."""

    NEW = "new"  # create: nothing is known of it
    RETRY = "retry"  # create: an earlier attempt made no task
    TASK_ID = "taskID"  # adopt: the manifest names the task
    ATTEMPT = "attempt"  # adopt: an attempt without outcome did make it
    LOOK_ALIKE = "lookAlike"  # adopt: an unrecorded task does the same work
    MOVED = "moved"  # move: recorded under movedFrom
    ASKED = "asked"  # replace: --replace names it
    IN_PLACE = "inPlace"  # update: settings that --update may change
    DIFFERS = "differs"  # changed: manifest or service differ
    UNFINISHED = "unfinished"  # changed: name or isShared are still to be patched after the create
    NOT_FOUND = "notFound"  # gone: the service says 404, twice
    RECREATE = "recreate"  # gone, and --allow-recreate covers it: apply creates it
    LISTED = "listed"  # forget: a manifest lists its key under `removed`
    REMOVED = "removed"  # orphaned: in no manifest any more
    PILOT = "pilot"  # held: the pilot of the rollout is not done
    AT_ONCE = "atOnce"  # held: as many tasks of the entry are unfinished as may be
    OVERLAP = "overlap"  # held: the task of an earlier period is not over
    STOPPED = "stopped"  # held: as many tasks of the entry have failed as `stopAfter` says
    PAST = "past"  # unchanged: of a period that is over; neither read nor compared
    SAME = "same"  # unchanged
    NOT_VISIBLE = "notVisible"  # unchanged: another identity made it, this one cannot see it
    FRESH = "fresh"  # unchanged: created within the settle time, the service may not show it yet
    SETTLING = "settling"  # unresolved: an attempt is younger than the settle time; apply waits
    AMBIGUOUS = "ambiguous"  # unresolved: what the service shows fits more than one way
    UNREADABLE = "unreadable"  # unresolved: what the service shows could not be read to the end
    OTHER_IDENTITY = "otherIdentity"  # unresolved: the attempt was made by another identity
    OTHER_ORG = "otherOrg"  # unresolved: recorded under an organization it no longer resolves to
    RENAMED = "renamed"  # unresolved: an orphaned record does the same work
    CONFLICT = "conflict"  # unresolved: taskID answers 404, or is recorded otherwise


class Origin(StrEnum):
    MANIFEST = "manifest"
    REMOTE = "remote"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Change:
    """One field: `before` is what is, `after` what the manifest wants, `origin` who moved."""

    path: str
    before: Any
    after: Any
    origin: Origin

    @property
    def in_place(self) -> bool:
        """Whether the task itself can be changed so; else only a new one can have it. A setting
        that the manifest no longer has cannot be taken back: what the service's default is, it
        does not tell."""
        return self.path in PATCHED and self.after is not ABSENT


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """What is to be done about one task.

    `remarks` are the facts for a reader (`explanation`). `settled_at` is when an unresolved attempt
    is old enough (`Reason.SETTLING`), by this machine's clock. `attempt` is the one that was found
    (`ATTEMPT`) or that `RETRY` follows. `update` are the settings to be changed in place; `agreed`
    are those of them that the service has already. `cancels`: the task of `record` is to be
    cancelled, once the new one is recorded or before the record is taken out. `waits_for` are the
    tasks that a held one waits for.
    """

    ref: TaskRef
    action: Action
    reason: Reason
    file: str
    line: int | None = None
    task_id: str | None = None
    diff: tuple[Change, ...] = ()
    remarks: tuple[Remark, ...] = ()
    desired: DesiredTask | None = None
    record: Record | None = None
    remote: RemoteTask | None = None
    attempt: Attempt | None = None
    moved_from: TaskRef | None = None
    settled_at: datetime | None = None
    update: Mapping[str, Any] = field(default_factory=dict)
    agreed: tuple[str, ...] = ()
    cancels: bool = False
    waits_for: tuple[TaskRef, ...] = ()

    @property
    def explanation(self) -> tuple[Remark, ...]:
        """Its remarks; where it has none, the one that its reason stands for."""
        return self.remarks or (Remark(self.reason.value),)

    @property
    def patch(self) -> dict[str, Any]:
        """What the service is to be told of `update`."""
        return {name: value for name, value in self.update.items() if name not in self.agreed}

    @property
    def sensitive(self) -> bool:
        """Whether its manifest, record or attempt says that no report may show its prompt."""
        desired, record, attempt = self.desired, self.record, self.attempt
        return bool(
            (desired is not None and desired.sensitive)
            or (record is not None and record.sensitive)
            or (attempt is not None and attempt.sensitive)
        )

    @property
    def generated(self) -> Generated | None:
        """What an entry makes it from, or made it from."""
        for known in (self.desired, self.record, self.attempt):
            if known is not None:
                return known.generated
        return None

    @property
    def unattended(self) -> bool:
        """Whether its manifest (else its record) or the service lets it act without approval."""
        known = self.desired or self.record
        return (known is not None and is_unattended(known.inputs)) or (
            self.remote is not None and is_unattended(self.remote.raw)
        )

    @property
    def creates(self) -> bool:
        return self.action in (Action.CREATE, Action.REPLACE) or self.reason is Reason.RECREATE

    @property
    def may_follow(self) -> bool:
        """Whether `apply --wait` may create it once others are done."""
        return self.action is Action.HELD and self.reason is not Reason.STOPPED

    @property
    def applies(self) -> bool:
        """Whether apply would do something about it without being told more."""
        return (
            self.creates
            or self.action in (Action.ADOPT, Action.MOVE, Action.UPDATE, Action.FORGET)
            or self.reason in (Reason.UNFINISHED, Reason.SETTLING)
        )


def plan_for(
    task: DesiredTask, action: Action, reason: Reason, *remarks: Remark, **more: Any
) -> PlannedTask:
    """A desired task with its place; `more` are further fields of PlannedTask."""
    return PlannedTask(
        ref=task.ref,
        action=action,
        reason=reason,
        file=task.file,
        line=task.line,
        desired=task,
        remarks=remarks,
        **more,
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """`tasks` are sorted by organization and key; `scope` are the PATHs it was made for.

    `closed` are marks of attempts that made no task and whose key is in no manifest: apply only
    notes them. `options` are the flags that would change what apply does. `shown_digest` is the
    plan's digest where prompts were taken out of it since. `budgets` are those of the organizations
    that it creates tasks in, where the service has one.
    """

    backend: str
    scope: tuple[str, ...]
    tasks: tuple[PlannedTask, ...]
    identity: Identity | None = None
    complete: bool = True
    diagnostics: tuple[Diagnostic, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    shown_digest: str = ""
    budgets: tuple[Outlook, ...] = ()

    @property
    def is_restricted(self) -> bool:
        """Whether `--target` or `--exclude` leave tasks out."""
        return bool(self.options.get("target") or self.options.get("exclude"))

    def summary(self) -> dict[str, int]:
        """The number of tasks for each action, in the order of `Action`; those without one too."""
        counts = Counter(task.action for task in self.tasks)
        return {action.value: counts[action] for action in Action}

    def organizations(self) -> tuple[str, ...]:
        """Of its tasks, sorted."""
        return tuple(sorted({task.ref.org_name for task in self.tasks}))

    def apply_will_fail(self) -> bool:
        """Whether apply would exit 1 as things are. It waits for attempts younger than the settle
        time, so these do not count."""
        return has_errors(self.diagnostics) or any(
            task.action is Action.UNRESOLVED and task.reason is not Reason.SETTLING
            for task in self.tasks
        )

    @property
    def followers(self) -> tuple[TaskRef, ...]:
        """The held tasks that `apply --wait` may create later."""
        return tuple(t.ref for t in self.tasks if t.may_follow) if self.options.get("wait") else ()

    def can_apply(self) -> bool:
        """Whether there is something to do, now or later."""
        return bool(self.followers) or any(task.applies for task in self.tasks)

    def has_changes(self) -> bool:
        """What `plan --detailed-exitcode` answers 2 for (contract, section 3)."""
        asked = (
            Action.CREATE,
            Action.REPLACE,
            Action.ADOPT,
            Action.UPDATE,
            Action.UNRESOLVED,
        )
        return any(t.action in asked or t.reason is Reason.RECREATE for t in self.tasks)
