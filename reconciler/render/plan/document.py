"""A plan as a JSON document."""

from __future__ import annotations

from reconciler.messages.commands import Commands
from reconciler.messages.template import Words
from reconciler.model.service import Identity
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Plan, PlannedTask
from reconciler.render.document import (
    FORMAT_VERSION,
    Document,
    budget_part,
    change_item,
    diagnostic_items,
    given,
    hint_items,
)
from reconciler.render.plan.tasks import with_words


def plan_document(plan: Plan, commands: Commands) -> Document:
    return {
        "formatVersion": FORMAT_VERSION,
        "backend": plan.backend,
        "organizations": list(plan.organizations()),
        "identity": _identity(plan.identity) if plan.identity is not None else None,
        "scope": list(plan.scope),
        "complete": plan.complete,
        "hasChanges": plan.has_changes(),
        "applyWillFail": bool(plan.fail_reasons()),
        "failReasons": [
            {"code": code.value, "key": key, "blocking": blocking}
            for code, key, blocking in plan.fail_reasons()
        ],
        "digest": plan_digest(plan),
        "diagnostics": diagnostic_items(plan.diagnostics, commands),
        "summary": plan.summary(),
        **given(budget=budget_part(plan.budgets)),
        "tasks": [plan_task(task, words) for task, words in with_words(plan.tasks, commands)],
    }


def plan_task(task: PlannedTask, words: Words) -> Document:
    """A task of the plan document."""
    generated = task.generated
    document: Document = {"key": task.ref.key, "orgName": task.ref.org_name}
    if generated is not None:
        document["entry"] = generated.entry
        document["values"] = dict(generated.values)
        if generated.period is not None:
            document["period"] = generated.period
    document |= {
        "action": task.action.value,
        "reason": task.reason.value,
        "taskId": task.task_id,
        "file": task.file,
        "line": task.line,
        "diff": [change_item(change) for change in task.diff],
        **given(unattended=task.unattended, update=list(task.updated)),
    }
    if task.may_create and task.desired is not None:
        document["inputs"] = task.desired.inputs
    return document | given(
        waitsFor=[ref.seen_from(task.ref) for ref in task.waits_for],
        movedFrom=task.moved_from.key if task.moved_from else None,
        note=words.note,
        hints=hint_items(words),
    )


def _identity(identity: Identity) -> Document:
    return {
        "id": identity.id,
        **given(login=identity.login, organization=identity.organization, team=identity.team),
    }
