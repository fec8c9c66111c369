"""A plan for all formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from reconciler.messages.commands import Commands
from reconciler.messages.remarks import phrase
from reconciler.messages.template import Words
from reconciler.model.codes import Code
from reconciler.model.service import Identity
from reconciler.plan.digest import plan_digest
from reconciler.plan.plan import Action, FailReason, Plan, PlannedTask
from reconciler.render import safe
from reconciler.render.document import (
    FORMAT_VERSION,
    Document,
    budget_part,
    change_item,
    diagnostic_items,
    given,
    hint_items,
)
from reconciler.render.markdown_text import span
from reconciler.render.plan.items import EntryView, fold_entries
from reconciler.render.plan.summary import (
    budget_lines,
    outcome,
    plan_summary,
    plan_target,
    service_of,
    who,
)
from reconciler.render.plan.tasks import meaning, order, planned_views, with_words
from reconciler.render.plan.text import INCOMPLETE, plan_rows
from reconciler.render.style import Style
from reconciler.render.task_view import LABELS, UNATTENDED, TaskView
from reconciler.render.view import ReportView


class PlanView(ReportView):
    command = "plan"

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.diagnostics = plan.diagnostics
        self.target = plan_target(plan)

    def rows(self, style: Style) -> Iterable[str]:
        return plan_rows(self.plan, style)

    def document(self, commands: Commands) -> Document:
        return plan_document(self.plan, commands)

    def summary(self) -> str:
        return plan_summary(self.plan).removesuffix(".")

    def tasks(self, style: Style) -> list[TaskView]:
        """The tasks in the order of their actions."""
        tasks = sorted(self.plan.tasks, key=order)
        return list(planned_views(self.plan, tasks, style.commands, style.locate))

    def items(self, shown: Sequence[TaskView]) -> Sequence[TaskView | EntryView]:
        return fold_entries(self.plan, shown)

    def markdown_head(self, shown: Sequence[TaskView]) -> Iterator[str]:
        plan = self.plan
        names = ", ".join(map(span, plan.organizations()))
        by = f" as {span(who(plan.identity))}" if plan.identity else ""
        counts = self.summary().removeprefix("Plan: ")
        yield f"### Plan{f' for {names}' if names else ''}{by}: {counts}"
        yield from self._about(span)
        used = {view.word for view in shown}
        meant = [
            f"**{LABELS.get(action, action)}**: {text}"
            for action in Action
            if action in used and (text := meaning(action))
        ]
        if any(view.unattended for view in shown):
            meant.append(f"**[{UNATTENDED}]**: {phrase('unattended')}")
        if meant:
            yield "<br>\n".join(meant)
        if plan.has_changes() and not plan.is_for_other:
            yield f"Digest of this plan, for `apply --expect-plan`: `{plan_digest(plan)}`"

    def page_head(self) -> tuple[str, list[str]]:
        plan = self.plan
        names = ", ".join(plan.organizations())
        orgs = f" for <b>{safe.inline(names)}</b>" if names else ""
        by = f" as <b>{safe.html(who(plan.identity))}</b>" if plan.identity else ""
        about = self._about(lambda name: f"<code>{safe.inline(name)}</code>")
        return f"{orgs}{by}", [f'<p class="about">{sentence}</p>' for sentence in about]

    def _about(self, marked: Callable[[str], str]) -> Iterator[str]:
        """The service, budgets and the outcome, for Markdown and HTML; `marked` formats names."""
        yield f"On {service_of(self.plan, marked)}."
        yield from budget_lines(self.plan.budgets, marked)
        if not self.plan.complete:
            yield INCOMPLETE
        if self.plan.ending:
            yield phrase("plan.ending", line=marked(self.plan.ending))
        if sentence := outcome(self.plan):
            yield sentence


def plan_document(plan: Plan, commands: Commands) -> Document:
    reasons = plan.fail_reasons()
    if plan.is_for_other:
        reasons = (FailReason(Code.WRONG_IDENTITY, None, blocking=True), *reasons)
    return {
        "formatVersion": FORMAT_VERSION,
        "backend": plan.backend,
        "organizations": list(plan.organizations()),
        "identity": _identity(plan.identity) if plan.identity is not None else None,
        "scope": list(plan.scope),
        "complete": plan.complete,
        "hasChanges": plan.has_changes(),
        "applyWillFail": bool(reasons),
        "failReasons": [
            {"code": code.value, "key": key, "blocking": blocking}
            for code, key, blocking in reasons
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
