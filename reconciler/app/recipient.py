"""The recipient of a message: the status of a task, its open requests, and one delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.app.context import Context
from reconciler.app.task_sessions import TaskSessions
from reconciler.messages.notes import Note, Question
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.model.task import rfc3339
from reconciler.render.outcomes import Response
from reconciler.tasks.delivery import Lost, Refusal, delivery_error
from reconciler.tasks.events import Approval, body_of, is_user_event
from reconciler.tasks.status import TaskState, TaskStatus

if TYPE_CHECKING:
    from reconciler.model.diagnostics import Arg
    from reconciler.model.task import TaskRef
    from reconciler.state.model import Record


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recorded task and its status."""

    tasks: TaskSessions
    record: Record
    status: TaskStatus

    @classmethod
    def of(cls, tasks: TaskSessions, ref: TaskRef, task_id: str | None = None) -> Recipient:
        """The task of a key, or with `task_id` a former or redundant one of it. TaskctlError if
        there is none, or if it is not visible to this token."""
        record = tasks.record(ref)
        if task_id is not None:
            if task_id not in (record.task_id, *record.former, *record.duplicates):
                raise TaskctlError.of(Code.WRONG_TASK, ref=str(ref), task_id=task_id)
            record = replace(record, task_id=task_id)
        status = tasks.ctx.reader.statuses([record], 1)[0]
        if status.state in (TaskState.GONE, TaskState.NOT_VISIBLE):
            raise tasks.not_visible(record)
        return cls(tasks, record, status)

    @classmethod
    def waiting(cls, tasks: TaskSessions, refs: Sequence[TaskRef]) -> list[Recipient]:
        """The tasks that wait for an approval or an answer. RemoteError."""
        recorded = [ref for ref in refs if ref in tasks.state.records]
        found = [cls(tasks, tasks.record(s.ref), s) for s in tasks.statuses(recorded)]
        return [task for task in found if task.status.approvals]

    @property
    def name(self) -> str:
        return str(self.record.ref)

    def approval(self, request_id: str | None) -> Approval:
        """The open request with that ID; without an ID, the only one. TaskctlError."""
        found = [request for request in self.status.approvals if request_id in (None, request.id)]
        if len(found) == 1:
            return found[0]
        place, facts = Place(key=self.record.ref.key), {"ref": self.name}
        if found:
            ids = tuple(request.id for request in found)
            raise TaskctlError.of(
                Code.SEVERAL_APPROVALS, at=place, ids=ids, count=len(ids), **facts
            )
        if request_id is not None and self.status.approvals:
            raise TaskctlError.of(Code.NO_APPROVAL, "id", at=place, request=request_id, **facts)
        case = "input" if self.status.state is TaskState.WAITING else ""
        status = self.status.state.value
        raise TaskctlError.of(Code.NO_APPROVAL, case, at=place, status=status, **facts)

    def reply(self, approval: Approval, *, ok: bool, text: str) -> Response:
        """Replies to a request that was shown. TaskctlError, also if it is no longer open."""
        if approval not in self.tasks.ctx.reader.status(self.record).approvals:
            raise TaskctlError.of(Code.NO_APPROVAL, "changed", ref=self.name, request=approval.id)
        done, what = ("approved", "approval") if ok else ("rejected", "rejection")
        if ok and text:
            done, what = "answered", "answer"
        return self.send(approval.reply(ok=ok, text=text), done, what, approval)

    def send(
        self, members: Mapping[str, Any], done: str, what: str, answers: Approval | None = None
    ) -> Response:
        """Sends a user event with these members, once. TaskctlError if the task did not accept it,
        or may not have."""
        ref, ctx = self.record.ref, self.tasks.ctx
        event = {"timestamp": rfc3339(ctx.clock.now()), **members}
        failed = ctx.reader.respond(ref.org_name, self.record.task_id, event)
        if not (isinstance(failed, Lost) and self._has_event(event["timestamp"])):
            self.raise_if_failed(failed, what)
        answered = dict(answers.body) if answers is not None else None
        return Response(self.record, self.status, done, event, answered)

    def raise_if_failed(
        self, failed: Refusal | Lost | None, what: str, *, forced: bool = False
    ) -> None:
        """Raises TaskctlError unless the task accepted it (None)."""
        if failed is None:
            return
        if forced and isinstance(failed, Refusal) and failed.status == 409:
            raise TaskctlError.of(Code.STILL_BUSY, ref=self.name, words=failed.words)
        caller = self.tasks.ctx.client.identity()
        problem = delivery_error(
            failed, self.record, caller, f"the {what}", cancels=what == "cancellation"
        )
        raise TaskctlError([problem])

    def _has_event(self, timestamp: str) -> bool:
        """Whether the task received the event, although its response was lost."""
        ref, reader = self.record.ref, self.tasks.ctx.reader
        try:
            events = reader.events(ref.org_name, self.record.task_id, None)[0]
        except TaskctlError:
            return False
        return any(is_user_event(e) and body_of(e).get("timestamp") == timestamp for e in events)

    def show_last_words(self) -> None:
        """Shows the task's status and its last message."""
        words, ui = self.status.summary.words, self.tasks.ctx.ui
        note = Note.LAST_WORDS if words else Note.LAST_STATUS
        if self.status.approvals:
            asks = any(approval.is_question for approval in self.status.approvals)
            note = Note.TASK_ASKS if asks else Note.TASK_WAITS
        ui.note(note, ref=self.name, status=self.status.state.value, words=words)


def confirm(
    ctx: Context, question: Question, *, yes: bool, again: tuple[str, ...], **facts: Arg
) -> bool:
    """Whether to proceed. TaskctlError without a terminal; it suggests the command `again`."""
    if yes:
        return True
    if not ctx.ui.interactive:
        raise TaskctlError.of(Code.CONFIRMATION_REQUIRED, command=again)
    return ctx.ui.ask(question, strict=False, **facts)
