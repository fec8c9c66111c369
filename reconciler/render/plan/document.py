"""A plan as a JSON document."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from reconciler.messages.remarks import word_remarks
from reconciler.model.identity import Identity
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Plan, PlannedTask
from reconciler.render.parts import (
    FORMAT_VERSION,
    MANIFEST,
    Budgets,
    ChangeItem,
    Count,
    Diagnostics,
    FormatVersion,
    Hints,
    Line,
    Part,
    TaskID,
    TaskPart,
    budget_part,
    change_item,
    diagnostic_items,
    given,
    hint_items,
)


class IdentityItem(Part, kw_only=True):
    """The user of the access token."""

    id: Annotated[str, Meta(description="The user's ID.")]
    login: Annotated[str | UnsetType, Meta(description="The user's login, for display.")] = UNSET
    organization: Annotated[
        str | UnsetType, Meta(description="The organization to which the token is limited.")
    ] = UNSET
    team: Annotated[
        str | UnsetType, Meta(description="The team to which the token is limited.")
    ] = UNSET


class FailReasonItem(Part, kw_only=True):
    """A reason why apply would exit 1."""

    code: Annotated[
        str,
        Meta(
            description="The diagnostic code; TC745 for an unresolved task.",
            examples=["TC513", "TC745", "TC318"],
        ),
    ]
    key: Annotated[
        str | None, Meta(description="The task or entry, if the reason concerns only one.")
    ]
    blocking: Annotated[
        bool,
        Meta(
            description="Whether apply would do nothing at all. If false, apply does everything "
            "else and then exits 1."
        ),
    ]


class PlanSummary(Part, kw_only=True):
    """The number of tasks for each action, including zeros."""

    create: Annotated[Count, Meta(description="Tasks to create.")]
    replace: Annotated[Count, Meta(description="Tasks to create in place of existing tasks.")]
    adopt: Annotated[Count, Meta(description="Existing tasks to record.")]
    move: Annotated[Count, Meta(description="Records to move to another key.")]
    update: Annotated[Count, Meta(description="Tasks with settings to change in place.")]
    changed: Annotated[Count, Meta(description="Tasks that differ from their manifest.")]
    gone: Annotated[Count, Meta(description="Recorded tasks that the service does not find.")]
    forget: Annotated[Count, Meta(description="Tasks to remove from the state.")]
    orphaned: Annotated[Count, Meta(description="Recorded tasks that no manifest declares.")]
    held: Annotated[Count, Meta(description="Tasks that must not be created yet.")]
    unchanged: Annotated[Count, Meta(description="Tasks with nothing to do.")]
    unresolved: Annotated[Count, Meta(description="Tasks that may already exist.")]


class PlanTask(TaskPart, kw_only=True):
    """A task, and what apply would do with it."""

    entry: Annotated[
        str | UnsetType,
        Meta(
            description="Key of the entry (`forEach`, `every`) that generates the task.",
            examples=["rotate-keys"],
        ),
    ] = UNSET
    values: Annotated[
        dict[str, str] | UnsetType,
        Meta(
            description="The values from which the entry generates the task, by axis, or by axis "
            "and field.",
            examples=[{"stack.name": "network", "region": "eu"}],
        ),
    ] = UNSET
    period: Annotated[
        str | UnsetType,
        Meta(description="The period, if the entry has `every`.", examples=["2026-11"]),
    ] = UNSET
    action: Annotated[
        str,
        Meta(
            description="`create`: does not exist yet. `replace`: exists, and a new task is "
            "created in its place. `adopt`: exists, and is recorded. `move`: its record moves to a "
            "new key. `update`: differs, and settings are changed in place. `changed`: differs, "
            "and is not modified. `gone`: the service no longer has it. `forget`: listed under "
            "`removed`, and is removed from the state. `orphaned`: no manifest declares it. "
            "`held`: must not be created yet. `unchanged`: nothing to do. `unresolved`: may "
            "already exist, so it is not created until that is resolved.",
            examples=[
                "create",
                "replace",
                "adopt",
                "move",
                "update",
                "changed",
                "gone",
                "forget",
                "orphaned",
                "held",
                "unchanged",
                "unresolved",
            ],
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            description="The reason for the action, such as `new`, `lookAlike`, `notVisible`, "
            "`settling` or `pilot`. More may be added.",
            examples=["new"],
        ),
    ]
    task_id: TaskID
    file: Annotated[str, MANIFEST]
    line: Line
    diff: Annotated[list[ChangeItem], Meta(description="Differences, sorted by path.")]
    unattended: Annotated[
        Literal[True] | UnsetType,
        Meta(
            description="Present if the task may act without approval: approvalMode `auto` without "
            "permissionMode `read-only`, in the manifest, in the record, or at the service. Its "
            "absence proves nothing: without approvalMode, the organization's default applies, and "
            "a read-only task may still open pull requests."
        ),
    ] = UNSET
    update: Annotated[
        list[str] | UnsetType,
        Meta(description="The settings to change in place.", examples=[["approvalMode"]]),
    ] = UNSET
    inputs: Annotated[
        dict[str, Any] | UnsetType,
        Meta(
            description="The settings with which the task is created, including defaults. The "
            "prompt of a sensitive task is a SHA-256 digest."
        ),
    ] = UNSET
    waits_for: Annotated[
        list[str] | UnsetType,
        Meta(
            description="Keys of the tasks for which a held task waits.",
            examples=[["rotate-keys@network-eu"]],
        ),
    ] = UNSET
    moved_from: Annotated[
        str | UnsetType, Meta(description="The key whose record becomes the record of this task.")
    ] = UNSET
    note: Annotated[
        str | UnsetType, Meta(description="The reason in words. Programs should use `reason`.")
    ] = UNSET
    hints: Hints | UnsetType = UNSET


class PlanDocument(Part, kw_only=True):
    """Every task that is declared or recorded, and what apply would do with it.

    Within a formatVersion, fields and values may be added: ignore those that are unknown.
    """

    format_version: FormatVersion
    backend: Annotated[
        str,
        Meta(
            description="Base URL of the service, or `local` and a path for the embedded service.",
            examples=["https://api.pulumi.com"],
        ),
    ]
    organizations: Annotated[
        list[str],
        Meta(description="The organizations of the tasks, sorted.", examples=[["acme"]]),
    ]
    identity: Annotated[
        IdentityItem | None,
        Meta(description="The user of the access token; null if it was not requested."),
    ]
    scope: Annotated[
        list[str],
        Meta(
            description="The paths given on the command line; empty if there were none.",
            examples=[["tasks"]],
        ),
    ]
    complete: Annotated[
        bool,
        Meta(
            description="False if not all tasks of the service could be read. A task that was not "
            "seen is then unresolved, not missing."
        ),
    ]
    has_changes: Annotated[
        bool,
        Meta(
            description="Whether apply would write or send anything: create, record, change, move, "
            "forget or cancel a task, or decide about an attempt whose response was lost."
        ),
    ]
    apply_will_fail: Annotated[
        bool,
        Meta(
            description="Whether an apply with these options and this token would exit 1. An "
            "attempt that is younger than the settle time does not count: apply waits for it."
        ),
    ]
    fail_reasons: Annotated[
        list[FailReasonItem],
        Meta(description="Why apply would exit 1; empty if it would not."),
    ]
    digest: Annotated[
        str,
        Meta(
            description="Digest of everything that apply would do, for `taskctl apply "
            "--expect-plan`. Equal for equal tasks, inputs, options, backend, identity and scope.",
            pattern="^sha256:[0-9a-f]{64}$",
        ),
    ]
    diagnostics: Diagnostics
    summary: Annotated[PlanSummary, Meta(description="The number of tasks for each action.")]
    budget: Annotated[
        Budgets | UnsetType,
        Meta(
            description="The token budgets. Present if tasks would be created and the service "
            "reports a budget."
        ),
    ] = UNSET
    tasks: Annotated[
        list[PlanTask],
        Meta(description="Every task, sorted by organization and key; numbers in keys as numbers."),
    ]


def plan_document(plan: Plan) -> PlanDocument:
    return PlanDocument(
        format_version=FORMAT_VERSION,
        backend=plan.backend,
        organizations=list(plan.organizations()),
        identity=_identity(plan.identity) if plan.identity is not None else None,
        scope=list(plan.scope),
        complete=plan.complete,
        has_changes=plan.has_changes(),
        apply_will_fail=plan.apply_will_fail(),
        fail_reasons=[
            FailReasonItem(code=code.value, key=key, blocking=blocking)
            for code, key, blocking in plan.fail_reasons()
        ],
        digest=plan_digest(plan),
        diagnostics=diagnostic_items(plan.diagnostics),
        summary=PlanSummary(**plan.summary()),
        budget=budget_part(plan.budgets) if plan.budgets else UNSET,
        tasks=[plan_task(task) for task in plan.tasks],
    )


def plan_task(task: PlannedTask) -> PlanTask:
    """A task of the plan document."""
    words, generated = word_remarks(task.explanation), task.generated
    creates = task.creates and task.desired is not None
    return PlanTask(
        key=task.ref.key,
        org_name=task.ref.org_name,
        entry=generated.entry if generated else UNSET,
        values=dict(generated.values) if generated else UNSET,
        period=generated.period if generated and generated.period is not None else UNSET,
        action=task.action.value,
        reason=task.reason.value,
        task_id=task.task_id,
        file=task.file,
        line=task.line,
        diff=[change_item(change) for change in task.diff],
        unattended=True if task.unattended else UNSET,
        update=given(sorted(task.update)),
        inputs=dict(task.desired.inputs) if creates and task.desired else UNSET,
        waits_for=given([ref.key for ref in task.waits_for]),
        moved_from=task.moved_from.key if task.moved_from else UNSET,
        note=given(words.note),
        hints=hint_items(words),
    )


def _identity(identity: Identity) -> IdentityItem:
    return IdentityItem(
        id=identity.id,
        login=given(identity.login),
        organization=given(identity.organization),
        team=given(identity.team),
    )
