"""Everything known about tasks (`show KEY`): the state, the manifest and the service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from reconciler.app.show import TaskReport
from reconciler.messages.commands import Commands
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339
from reconciler.render import safe
from reconciler.render.conversation import age
from reconciler.render.document import Document, change_item, json_document
from reconciler.render.results import pull_request_items
from reconciler.render.state import state_part, task_text
from reconciler.render.status import reason_rows, status_counts, status_task
from reconciler.render.style import Style
from reconciler.render.task_view import merged
from reconciler.render.values import change_rows, flow, setting_rows
from reconciler.tasks.results import pull_requests
from reconciler.tasks.status import TaskStatus


def reports_text(reports: Sequence[TaskReport], style: Style, now: datetime) -> str:
    return "\n".join(_text(report, style, now) for report in reports)


def _text(report: TaskReport, style: Style, now: datetime) -> str:
    text = task_text(report.state, report.ref, style, outputs=not report.status.raw)
    rows = [*_manifest_rows(report, style), *_status_rows(report.status, style, now)]
    rows += _replaced_rows(report.replaced, style)
    return text + "".join(f"{safe.without_commands(row)}\n" for row in rows)


def reports_document(
    reports: Sequence[TaskReport],
    problems: Sequence[Diagnostic],
    now: datetime,
    commands: Commands,
) -> Document:
    return json_document(
        problems,
        commands,
        readAt=rfc3339(now),
        summary=status_counts([report.status for report in reports]),
        tasks=[_task(report, commands) for report in reports],
    )


def _task(report: TaskReport, commands: Commands) -> Document:
    desired, manifest = report.desired, None
    if desired is not None:
        manifest = {"file": desired.file, "line": desired.line, "inputs": desired.inputs}
    task = {**status_task(report.status, commands), **state_part(report.state, report.ref)}
    task["replaced"] = [
        {"taskId": each.task_id, "pullRequests": pull_request_items(pull_requests(each))}
        for each in report.replaced
    ]
    if report.diff is not None:
        task["manifest"] = manifest
        task["diff"] = [change_item(change) for change in report.diff]
    return task


def _manifest_rows(report: TaskReport, style: Style) -> Iterator[str]:
    """The settings of the manifest that differ from the record."""
    if report.desired is None:
        yield "  in its manifest: not in any manifest that could be read"
        return
    if not report.diff:
        yield "  in its manifest: no differences"
        return
    inner = style.indented(4)
    if style.verbose:
        yield "  in its manifest:"
        yield from (f"    {row}" for row in setting_rows(report.desired.inputs, inner))
    yield "  differences:"
    yield from (f"    {row}" for row in change_rows(report.diff, inner))


def _status_rows(status: TaskStatus, style: Style, now: datetime) -> Iterator[str]:
    """The task's status, and all of its outputs at the service."""
    created = status.created_at
    since = f", {age(now - created)} old" if created else ""
    yield f"  at the service: {status.state.label}{since}"
    yield from (f"    {row}" for row in reason_rows(status, style.indented(2)))
    pad = max(map(len, status.raw), default=0) + 1
    for name, value in sorted(status.raw.items()):
        yield f"    {style.palette.dim(f'{safe.line(name)}:'.ljust(pad))} {flow(value)}"


def _replaced_rows(replaced: Iterable[TaskStatus], style: Style) -> Iterator[str]:
    """The pull requests of earlier tasks of the key."""
    for number, status in enumerate(replaced):
        if not number:
            yield "  pull requests of replaced tasks:"
        listed = (
            f"{style.link(safe.line(each.text), each.url)}{merged(each)}"
            for each in pull_requests(status)
        )
        yield f"    {safe.line(status.task_id or '')}  {', '.join(listed)}"
