"""The status of tasks: as a table, and as a document."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.messages import wording
from reconciler.messages.commands import AS_WRITTEN, Commands
from reconciler.model.diagnostics import Diagnostic
from reconciler.model.task import rfc3339
from reconciler.model.task_state import TaskState
from reconciler.render import cells, safe
from reconciler.render.conversation import age, approval_rows
from reconciler.render.document import Document, diagnostic_items, json_document, timestamp
from reconciler.render.style import Style
from reconciler.tasks.status import OpenRequest, RequestKind, TaskStatus, counts, open_requests

if TYPE_CHECKING:
    from reconciler.app.status import StatusReport

_HEADER = ("KEY", "STATUS", "AGE", "TOKENS")
_RIGHT = frozenset({2, 3})
_ASKS = {
    RequestKind.APPROVAL: "asks for approval",
    RequestKind.ANSWER: "asks a question",
    RequestKind.TOOL_RESULT: "waits for the result of",
}


def status_rows(report: StatusReport, style: Style) -> list[str]:
    """The table, one row per task in the given order, then the counts. Below a task are its
    reasons, its open requests, the command that it needs and, with `verbose`, its address."""
    statuses, now = report.statuses, report.read_at
    if report.is_new:
        command = style.commands.completed("    taskctl apply")
        return ["No tasks are recorded yet. To create the tasks of the manifests, run:", command]
    if not statuses:
        return ["No matching tasks are recorded."]
    below = [list(_rows_below(status, report, style)) for status in statuses]
    several = len({status.ref.org_name for status in statuses}) > 1
    table = [_HEADER, *(_status_row(status, now, style, with_org=several) for status in statuses)]
    head, *shown = cells.table_rows(table, _RIGHT)
    rows = [style.palette.bold(head)]
    for row, more in zip(shown, below, strict=True):
        rows += [row, *more]
    return [*rows, "", *cells.wrap_words(status_summary(statuses), style.width)]


def _rows_below(status: TaskStatus, report: StatusReport, style: Style) -> Iterator[str]:
    for row in address_rows(status, style):
        yield style.palette.dim(f"  {row}")
    line = _remedy(status, report, style.commands)
    remedies = line.split("\n") if line else []
    requests = request_rows(status, style, report.read_at)
    for row in (*reason_rows(status, style), *requests, *remedies):
        yield style.palette.yellow(f"  {row}")


def _remedy(status: TaskStatus, report: StatusReport, commands: Commands) -> str:
    """The command line for a task without success; empty if there is none."""
    words = report.remedies.get(status.ref, ())
    return commands.completed(" ".join(words)) if words else ""


def status_summary(statuses: Sequence[TaskStatus]) -> str:
    """`1 waiting, 2 running, 3 done.`"""
    parts = [f"{n} {state.label}" for state, n in counts(statuses).items()]
    return f"{', '.join(parts) or 'No tasks'}."


def _status_row(
    status: TaskStatus, now: datetime, style: Style, *, with_org: bool
) -> tuple[str, ...]:
    created, tokens = status.created_at, status.tokens_used
    texts = (
        str(status.ref) if with_org else status.ref.key,
        status.state.label,
        age(now - created) if created else "-",
        f"{tokens:,}" if tokens is not None else "-",
    )
    key, label, *rest = map(safe.line, texts)
    return style.link(key, status.url), style.palette.paint(status.state.traits.color)(label), *rest


def address_rows(status: TaskStatus, style: Style) -> Iterator[str]:
    """With `verbose`, the address of the task's page, or its ID."""
    if style.verbose and (address := status.url or status.task_id):
        yield safe.line(address)


def request_rows(status: TaskStatus, style: Style, now: datetime) -> Iterator[str]:
    """For each open request, a row (with `verbose`, also its content) and the command that answers
    it."""
    for request in open_requests(status):
        is_shown = style.verbose and request.approval is not None
        line = safe.line(request_line(request, now, message=not is_shown))
        yield cells.shorten(line, max(20, style.width - 2))
        if request.approval is not None and is_shown:
            rows = approval_rows(request.approval, style.indented(4))
            yield from (safe.without_commands(f"  {row}".rstrip()) for row in rows)
        if request.command:
            yield from style.commands.completed(request.command_line).split("\n")


def request_line(request: OpenRequest, now: datetime, *, message: bool = True) -> str:
    """`asks for approval (3m ago): MESSAGE`; not escaped."""
    tools = f" {', '.join(request.tools)}" if request.tools else ""
    ago = f" ({age(now - request.since)} ago)" if request.since is not None else ""
    text = " ".join(request.message.split()) if message else ""
    return f"{_ASKS[request.kind]}{tools}{ago}{f': {text}' if text else ''}"


def reason_rows(status: TaskStatus, style: Style) -> Iterator[str]:
    """The reasons why a task failed or is unmet, and the command that corrects it."""
    width = max(20, style.width - 2)
    reasons = [wording(problem, style.commands) for problem in status.unmet]
    for reason in reasons:
        yield from cells.wrap(safe.line(reason.summary), width)
    for more in dict.fromkeys(reason.explanation for reason in reasons if reason.explanation):
        for row in safe.block(more).split("\n"):
            yield f"  {row.lstrip()}" if row.startswith(" ") else row
    if status.state is TaskState.FAILED and status.summary.words:
        yield cells.shorten(safe.line(" ".join(status.summary.words.split())), width)


def status_document(
    report: StatusReport,
    diagnostics: Sequence[Diagnostic] = (),
    commands: Commands = AS_WRITTEN,
) -> Document:
    """The status document, with every output of the service, including unknown outputs."""
    failed = [
        {
            "orgName": status.ref.org_name,
            "key": status.ref.key,
            "status": status.state.value,
            "command": _words(_remedy(status, report, commands)),
        }
        for status in report.statuses
        if status.state.traits.exit_code == 1 and not status.state.is_decided
    ]
    part = statuses_part(report.statuses, report.read_at, commands)
    return json_document(diagnostics, commands, **part, failed=failed)


def statuses_part(statuses: Sequence[TaskStatus], now: datetime, commands: Commands) -> Document:
    """The members about the tasks, which were read at the time `now`."""
    return {
        "readAt": rfc3339(now),
        "summary": status_counts(statuses),
        "tasks": [status_task(status, commands) for status in statuses],
    }


def status_counts(statuses: Sequence[TaskStatus]) -> dict[str, int]:
    return {state.value: number for state, number in counts(statuses).items()}


def status_task(status: TaskStatus, commands: Commands) -> Document:
    """A task of the status document."""
    event = status.summary
    return {
        "key": status.ref.key,
        "orgName": status.ref.org_name,
        "status": status.state.value,
        "taskId": status.task_id,
        "url": status.url,
        "file": status.file,
        "lastEvent": {
            "id": event.event_id or None,
            "says": event.last.value,
            "timestamp": timestamp(event.at),
            "words": event.words or None,
        },
        "unmet": diagnostic_items(status.unmet, commands),
        "waitingFor": [_request_item(request, commands) for request in open_requests(status)],
        "approvals": [dict(approval.body) for approval in status.approvals],
        "toolCalls": [
            {"id": call.id, "name": call.name, "executionMode": call.mode} for call in status.parked
        ],
        "outputs": dict(status.raw),
    }


def _request_item(request: OpenRequest, commands: Commands) -> Document:
    return {
        "wants": request.kind.value,
        "message": request.message or None,
        "since": timestamp(request.since),
        "requestId": request.approval.id if request.approval is not None else None,
        "command": _words(commands.completed(request.command_line)),
    }


def _words(line: str) -> list[str] | None:
    """The words of a single `taskctl`, `gh` or `pulumi` command; None for any other text."""
    may_run = line.startswith(("taskctl ", "gh ", "pulumi ")) and "\n" not in line
    return shlex.split(line) if may_run else None
