"""The state of a task, derived from its outputs and its events, and its open requests. Pure.

The service itself only reports running or idle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from reconciler.model.diagnostics import Diagnostic
from reconciler.model.shell import id_word, is_task_id, key_word, shell_word
from reconciler.model.task import TaskRef, instant, natural
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, field, replace
from reconciler.tasks.events import Approval, EventSummary, Last, ToolCall

_MAX_INT64 = 2**63 - 1


class TaskStatus(Value, frozen=True):
    """One task. `raw` are its outputs, empty if it is not visible. `unmet` lists the expected
    results that a finished task lacks."""

    ref: TaskRef
    state: TaskState
    file: str = ""
    task_id: str | None = None
    url: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict)
    summary: EventSummary = field(default_factory=EventSummary)
    unmet: tuple[Diagnostic, ...] = ()

    @property
    def approvals(self) -> tuple[Approval, ...]:
        return self.summary.approvals

    @property
    def parked(self) -> tuple[ToolCall, ...]:
        """The tool calls that it waits for; `mode` is `cli` or `worker`."""
        return parked_calls(self.raw, self.summary)

    @property
    def created_at(self) -> datetime | None:
        return instant(self.raw.get("createdAt"))

    @property
    def tokens_used(self) -> int | None:
        return count_in(self.raw, "tokensUsed")


def state_of(raw: Mapping[str, object], summary: EventSummary) -> TaskState:
    """The state of a visible task."""
    if summary.approvals or parked_calls(raw, summary):
        return TaskState.WAITING
    if raw.get("status") != "idle" or (count_in(raw, "pendingInputCount") or 0) > 0:
        return TaskState.RUNNING
    match summary.last:
        case Last.FAILED:
            return TaskState.FAILED
        case Last.CANCELLED:
            return TaskState.CANCELLED
        case Last.FINAL:
            return TaskState.DONE
        case Last.WORKING:
            return TaskState.STOPPED
        case Last.NOTHING | Last.ASKED:  # it has not processed its message yet
            return TaskState.RUNNING


def parked_calls(raw: Mapping[str, object], summary: EventSummary) -> tuple[ToolCall, ...]:
    """The tool calls that wait for a result from outside the service. A call without a mode has the
    mode of its task (API document)."""
    default = str(raw.get("toolExecutionMode") or "cloud")
    calls = (replace(call, mode=call.mode or default) for call in summary.parked)
    return tuple(call for call in calls if call.mode != "cloud")


def by_state(statuses: Iterable[TaskStatus]) -> tuple[TaskStatus, ...]:
    """Sorted by state, in the order of tables, then by key."""
    order = list(TaskState)
    return tuple(sorted(statuses, key=lambda s: (order.index(s.state), natural(s.ref))))


def counts(statuses: Iterable[TaskStatus]) -> dict[TaskState, int]:
    """The number of tasks by state, in the order of tables, without zeros."""
    listed = [status.state for status in statuses]
    return {state: listed.count(state) for state in TaskState if state in listed}


def retried_names(statuses: Iterable[TaskStatus], declared: Collection[TaskRef]) -> tuple[str, ...]:
    """The arguments of `--retry` for the declared tasks that have failed: a key, or a glob for
    several tasks of an entry."""
    by_entry: dict[str, list[TaskRef]] = {}
    for ref in (s.ref for s in statuses if _is_to_retry(s.state) and s.ref in declared):
        by_entry.setdefault(f"{ref.org_name}/{ref.key.partition('@')[0]}", []).append(ref)
    names = (str(r[0]) if len(r) == 1 else f"{entry}@*" for entry, r in by_entry.items())
    return tuple(sorted(names))


def _is_to_retry(state: TaskState) -> bool:
    return state.has_failed and not state.is_decided


def remedy(status: TaskStatus, declared: Collection[TaskRef]) -> tuple[str, ...]:
    """The words of the command that a task without success needs; empty if there is none."""
    ref = key_word(str(status.ref))
    match status.state:
        case TaskState.UNRESOLVED:
            return ("taskctl", "plan")
        case TaskState.GONE if status.ref in declared:
            return ("taskctl", "apply", f"--allow-recreate={ref}")
        case state if _is_to_retry(state) and status.ref in declared:
            return ("taskctl", "apply", "--retry", ref)
        case state if _is_to_retry(state) or state is TaskState.GONE:
            return ("taskctl", "state", "rm", ref)
        case _:
            return ()


def count_in(outputs: Mapping[str, object], name: str) -> int | None:
    """A non-negative int64 (API document); None for anything else."""
    value = outputs.get(name)
    return value if type(value) is int and 0 <= value <= _MAX_INT64 else None


class RequestKind(StrEnum):
    """The kind of response that a request needs."""

    APPROVAL = "approval"
    ANSWER = "answer"
    TOOL_RESULT = "toolResult"


class OpenRequest(Value, frozen=True):
    """An unanswered request of a task. `tools` are the names of the calls without a result,
    `since` is when it was made (None if unknown), `command` the words of the command that answers
    it (empty if there is none)."""

    status: TaskStatus
    kind: RequestKind
    message: str
    since: datetime | None
    command: tuple[str, ...] = ()
    approval: Approval | None = None
    tools: tuple[str, ...] = ()

    @property
    def command_line(self) -> str:
        """The command for a POSIX shell; empty if there is none."""
        return " ".join(map(shell_word, self.command))


def open_requests(status: TaskStatus) -> tuple[OpenRequest, ...]:
    """The requests of a task, oldest first; none unless it waits for a person."""
    if status.state is not TaskState.WAITING:
        return ()
    requests = [_approval_request(status, approval) for approval in status.approvals]
    if not requests and status.parked:
        requests.append(_tool_request(status))
    return tuple(requests)


def _approval_request(status: TaskStatus, approval: Approval) -> OpenRequest:
    kind = RequestKind.ANSWER if approval.is_question else RequestKind.APPROVAL
    request = ("--request", id_word(approval.id))
    answer = ("-m", "TEXT") if approval.is_question else ()
    command = ("taskctl", "approve", key_word(str(status.ref)), *request, *answer)
    return OpenRequest(status, kind, approval.message, approval.since, command, approval)


def _tool_request(status: TaskStatus) -> OpenRequest:
    task_id = status.task_id or ""
    by_cli = any(call.mode == "cli" for call in status.parked) and is_task_id(task_id)
    return OpenRequest(
        status,
        RequestKind.TOOL_RESULT,
        "",
        status.summary.at,
        ("pulumi", "neo", "resume", task_id) if by_cli else (),
        tools=tuple(call.name for call in status.parked),
    )
