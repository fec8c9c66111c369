"""The tasks that manifests declare, for commands that read existing tasks."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.app.context import Context
from reconciler.manifest.loader import load
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Severity
from reconciler.model.task import TaskRef, natural
from reconciler.state.edit import known_refs
from reconciler.state.model import State
from reconciler.tasks.status import TaskStatus


def declared_refs(ctx: Context, state: State) -> tuple[TaskRef, ...] | None:
    """The tasks of the manifests that are read without a PATH; None if these have errors. They
    are not checked against the policy. If a manifest sets no organization, its tasks are matched by
    key: only apply needs to know the organization."""
    manifests = load(ctx.settings.paths, root=ctx.settings.root, now=ctx.clock.now)
    errors = {d.code for d in manifests.diagnostics if d.severity is Severity.ERROR}
    if errors - {Code.NO_MANIFESTS}:
        return None
    named = {task.ref for task in manifests.tasks if task.org_name is not None}
    recorded: dict[str, list[TaskRef]] = {}
    for ref in sorted(known_refs(state) - named):
        recorded.setdefault(ref.key, []).append(ref)
    found: list[TaskRef] = []
    for task in manifests.tasks:
        found += [task.ref] if task.ref in named else recorded.get(task.key, [task.ref])
    return tuple(found)


def in_manifest_order(
    statuses: Iterable[TaskStatus], declared: Iterable[TaskRef]
) -> tuple[TaskStatus, ...]:
    """The statuses in the order of the manifests, others last."""
    order = {ref: number for number, ref in enumerate(declared)}
    last = len(order)
    return tuple(sorted(statuses, key=lambda s: (order.get(s.ref, last), natural(s.ref))))
