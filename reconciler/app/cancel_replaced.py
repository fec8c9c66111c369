"""`--cancel-replaced`: the tasks that others took the place of are asked to stop."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.app.context import Workspace, utcnow
from reconciler.model.errors import TaskctlError
from reconciler.model.remarks import Remark
from reconciler.model.task import rfc3339
from reconciler.scratch import CACHE
from reconciler.state.model import Record


def canceller(space: Workspace) -> Callable[[Record], tuple[Remark, ...]]:
    """What apply cancels a replaced task with: nothing, or a warning with the command to repeat."""

    def cancel(record: Record) -> tuple[Remark, ...]:
        try:
            why = _cancel(space, record)
        except TaskctlError as problem:
            why = str(problem)
        if why is None:
            return ()
        facts = {"old": record.task_id, "why": why, "ref": str(record.ref)}
        return (Remark("apply.not_cancelled", facts),)

    return cancel


def _cancel(space: Workspace, record: Record) -> str | None:
    """As `taskctl cancel` does it. None, or why it could not be; TaskctlError."""
    from reconciler.remote.event_cache import CourseCache
    from reconciler.remote.sessions import Following
    from reconciler.tasks.refusals import Sent, Told, problem
    from reconciler.tasks.status import SETTLED, Standing

    client, out = space.client, space.out
    identity = client.identity()
    cache = CourseCache(out.common.path(CACHE), space.backend.name, repr(identity))
    following = Following(client, cache, out.concealed)
    standing = following.status(record).standing
    if standing in SETTLED and standing is not Standing.NOT_VISIBLE:
        return None
    event = {"type": "user_cancel", "timestamp": rfc3339(utcnow())}
    outcome = following.respond(record.ref.org_name, record.task_id, event)
    if isinstance(outcome, Sent):
        return None
    told = Told(record.ref, "the cancel", record.identity, identity)
    return problem(outcome, told).summary.removeprefix(f"{record.ref}: ")
