"""Plans of entries: forty repositories to upgrade, and other cases of generated tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.manifest.expand.template import compile_template
from reconciler.model.task import DesiredTask, Generated, Rollout, TaskOrigin
from reconciler.model.value import replace
from reconciler.plan.plan import Action, PlannedTask, Reason
from tests.support.plan_sample import PLAN, task

NAMES = [f"{kind}-{number}" for kind in ("api", "billing", "web", "worker") for number in range(10)]
OWNERS = ("platform", "payments", "web-experience")
ROWS = [{"repo.name": n, "repo.owner": OWNERS[i % len(OWNERS)]} for i, n in enumerate(NAMES)]
PROMPT = """\
Upgrade the providers of acme/{{ repo.name }} to their newest minor versions.

- Read the changelogs, and list what touches our code.
- Run a preview of every stack. A replacement of a resource that holds data is a reason to stop.
- Else open one pull request, and ask {{ repo.owner }} for a review.
"""
TEMPLATE = {
    "approvalMode": "balanced",
    "message": {
        "content": PROMPT,
        "entity_diff": {
            "add": [
                {"type": "repository", "org": "acme", "name": "{{ repo.name }}", "forge": "github"}
            ]
        },
    },
}


def generated(
    values: Mapping[str, str],
    position: int = 0,
    *,
    entry: str = "upgrade",
    key: str | None = None,
    template: Mapping[str, Any] = TEMPLATE,
    file: str = "tasks/upgrades.yaml",
    period: str | None = None,
    **more: Any,
) -> DesiredTask:
    """A task as the loader generates it from a row."""
    made = Generated(entry, values, period)
    origin = TaskOrigin(
        made,
        template=template,
        row_file="data/repositories.csv",
        row_line=position + 2,
        position=position,
        rollout=Rollout(pilot=1),
    )
    parts = (entry, key if key is not None else next(iter(values.values()), ""), period)
    name = "@".join(part for part in parts if part)
    inputs = compile_template(template)(values)
    return DesiredTask(name, "acme", inputs, file, 5, 3, origin=origin, **more)


def as_planned(
    desired: DesiredTask, action: Action = Action.CREATE, reason: Reason = Reason.NEW, **more: Any
) -> PlannedTask:
    place = {"file": desired.file, "line": desired.line, "desired": desired}
    return task(desired.key, action, reason, **{**place, **more})


def plan_of(tasks: Sequence[PlannedTask]) -> Any:
    return replace(PLAN, tasks=tuple(sorted(tasks, key=lambda one: one.ref)))
