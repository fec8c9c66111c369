"""A plan as a JSON document (schemas/plan.schema.json)."""

from __future__ import annotations

from typing import Any

from reconciler.messages.remarks import remarks_document
from reconciler.model.budget import budget_document
from reconciler.model.task import Generated, Identity
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Plan, PlannedTask
from reconciler.render.document import change_document, json_document


def plan_document(plan: Plan) -> dict[str, Any]:
    common = json_document(plan.diagnostics)
    tasks = sorted(plan.tasks, key=lambda task: task.ref)
    budget = {"budget": budget_document(plan.budgets)} if plan.budgets else {}
    return {
        "formatVersion": common["formatVersion"],
        "backend": plan.backend,
        "organizations": list(plan.organizations()),
        "identity": _identity(plan.identity),
        "scope": list(plan.scope),
        "complete": plan.complete,
        "applyWillFail": plan.apply_will_fail(),
        "digest": plan_digest(plan),
        "diagnostics": common["diagnostics"],
        "summary": plan.summary(),
        **budget,
        "tasks": [task_document(task) for task in tasks],
    }


def task_document(task: PlannedTask) -> dict[str, Any]:
    """A task of the plan document."""
    shown: dict[str, Any] = {
        "key": task.ref.key,
        "orgName": task.ref.org_name,
        **_generated(task.generated),
        "action": task.action.value,
        "reason": task.reason.value,
        "taskId": task.task_id,
        "file": task.file,
        "line": task.line,
        "diff": [change_document(change) for change in task.diff],
    }
    if task.unattended:
        shown["unattended"] = True
    if task.update:
        shown["update"] = sorted(task.update)
    if task.creates and task.desired is not None:
        shown["inputs"] = dict(task.desired.inputs)
    if task.waits_for:
        shown["waitsFor"] = [ref.key for ref in task.waits_for]
    if task.moved_from:
        shown["movedFrom"] = task.moved_from.key
    return shown | remarks_document(task.explanation)


def _generated(generated: Generated | None) -> dict[str, Any]:
    if generated is None:
        return {}
    period = {"period": generated.period} if generated.period is not None else {}
    return {"entry": generated.entry, "values": dict(generated.values), **period}


def _identity(identity: Identity | None) -> dict[str, object] | None:
    """None if the plan was made without requesting the identity."""
    if identity is None:
        return None
    known = {"login": identity.login, "organization": identity.organization, "team": identity.team}
    return {"id": identity.id, **{name: value for name, value in known.items() if value}}
