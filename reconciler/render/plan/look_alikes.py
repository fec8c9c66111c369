"""The table of existing tasks that missing keys could adopt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from reconciler.model.remarks import Arg
from reconciler.plan.plan import Plan, PlannedTask
from reconciler.render import cells, safe


def look_alike_rows(tasks: Iterable[PlannedTask], *, several: bool) -> list[str]:
    """A header, and for each task that adopts a look-alike, or could, its key, the ID of the
    look-alike, when that was created and by whom. `several`: keys are shown with their
    organization."""
    rows = [("key", "task ID", "created", "by")]
    for task in tasks:
        remote = task.look_alike
        if remote is not None:
            made, name = remote.created_at, str(task.ref) if several else task.ref.key
            date = f"{made.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if made is not None else "-"
            rows.append((name, remote.id, date, remote.creator_login or "-"))
    return cells.table_rows([[safe.line(cell) for cell in row] for row in rows])


def adoption(plan: Plan) -> dict[str, Arg]:
    """The facts of the question whether to adopt the candidates in a plan."""
    tasks = [t for t in plan.tasks if t.is_look_alike and t.candidate is not None]
    rows = look_alike_rows(tasks, several=len(plan.organizations()) > 1)
    return {"count": len(tasks), "table": "".join(f"{row}\n" for row in rows)}
