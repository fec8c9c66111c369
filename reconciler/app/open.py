"""`open`: the addresses of a task's page and of its pull requests."""

from __future__ import annotations

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.state.edit import find
from reconciler.tasks.results import result_of


def addresses(ctx: Context, key: str, *, pull_requests: bool = False) -> tuple[str, ...]:
    """The address of the task's page; with `pull_requests`, those of its pull requests.
    TaskctlError if there are none."""
    tasks = RecordedTasks.open(ctx, [key])
    ref = find(tasks.state, key)
    record = tasks.record(ref)
    if not pull_requests:
        url = ctx.client.task_url(ref.org_name, record.task_id)
        if url is None:
            raise TaskctlError.of(Code.NO_ADDRESS, at=Place(key=ref.key), ref=str(ref))
        return (url,)
    listed = result_of(tasks.statuses([ref])[0]).pull_requests
    urls = tuple(pull_request.url for pull_request in listed if pull_request.url is not None)
    if not urls:
        raise TaskctlError.of(Code.NO_ADDRESS, "pullRequests", at=Place(key=ref.key), ref=str(ref))
    return urls
