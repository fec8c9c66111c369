"""A task to be told something: its status, what it asks, and one message sent to it, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.app.context import Context
from reconciler.app.task_sessions import TaskSessions
from reconciler.messages.notes import Note, Question
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place
from reconciler.model.errors import TaskctlError
from reconciler.model.task import rfc3339
from reconciler.render.response import Response
from reconciler.tasks.delivery import Delivery, Lost, Outcome, Refusal, Sent, delivery_error
from reconciler.tasks.events import Approval, body_of, is_user_event
from reconciler.tasks.status import TaskState, TaskStatus

if TYPE_CHECKING:
    from reconciler.model.diagnostics import Arg
    from reconciler.model.task import TaskRef
    from reconciler.state.model import Record
    from reconciler.tasks.events import Event


@dataclass(frozen=True, slots=True)
class Addressed:
    """One task to be told something, and its status."""

    tasks: TaskSessions
    record: Record
    status: TaskStatus

    @classmethod
    def of(cls, tasks: TaskSessions, ref: TaskRef, task_id: str | None = None) -> Addressed:
        """TaskctlError if there is no task, or the service does not show it to this token."""
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
    def waiting(cls, tasks: TaskSessions, refs: Sequence[TaskRef]) -> list[Addressed]:
        """Those of the tasks that ask for an approval or an answer. RemoteError."""
        known = [ref for ref in refs if ref in tasks.state.records]
        found = [cls(tasks, tasks.record(s.ref), s) for s in tasks.statuses(known)]
        return [task for task in found if task.status.approvals]

    @property
    def name(self) -> str:
        return str(self.record.ref)

    def approval(self, request_id: str | None) -> Approval:
        """The request to answer: the only one, or the one with that ID. TaskctlError."""
        found = [one for one in self.status.approvals if request_id in (None, one.id)]
        if len(found) == 1:
            return found[0]
        place, facts = Place(key=self.record.ref.key), {"ref": self.name}
        if found:
            ids = tuple(one.id for one in found)
            raise TaskctlError.of(
                Code.SEVERAL_APPROVALS, at=place, ids=ids, count=len(ids), **facts
            )
        if request_id is not None and self.status.approvals:
            raise TaskctlError.of(Code.NO_APPROVAL, "id", at=place, request=request_id, **facts)
        waiting = self.status.state is TaskState.WAITING
        case, status = "input" if waiting else "", self.status.state.value
        raise TaskctlError.of(Code.NO_APPROVAL, case, at=place, status=status, **facts)

    def check_answer(self, approval: Approval, answer: str) -> None:
        """TaskctlError for a question without an answer, and for an answer to anything else."""
        if approval.is_question != bool(answer):
            case = "" if approval.is_question else "no-question"
            place = Place(key=self.record.ref.key)
            raise TaskctlError.of(Code.ANSWER_REQUIRED, case, at=place, ref=self.name)

    def check_unchanged(self, approval: Approval) -> None:
        """TaskctlError if the task asks something else by now than what was shown."""
        now = self.tasks.ctx.reader.status(self.record)
        if approval not in now.approvals:
            raise TaskctlError.of(Code.NO_APPROVAL, "changed", ref=self.name, request=approval.id)

    def reply(self, approval: Approval, *, ok: bool, text: str) -> Response:
        """Answers a request that was shown. TaskctlError, also if the task asks something else by
        now."""
        self.check_unchanged(approval)
        done, what = ("approved", "approval") if ok else ("rejected", "rejection")
        if ok and text:
            done, what = "answered", "answer"
        return self.send(self.event(**approval.reply(ok=ok, text=text)), done, what, approval)

    def event(self, **members: object) -> dict[str, object]:
        """A user event, marked by its time."""
        return {"timestamp": rfc3339(self.tasks.ctx.clock.now()), **members}

    def send(
        self, event: Mapping[str, Any], done: str, what: str, answers: Approval | None = None
    ) -> Response:
        """Sends an event, once. TaskctlError if the task did not accept it, or may not have."""
        ref, reader = self.record.ref, self.tasks.ctx.reader
        outcome = reader.respond(ref.org_name, self.record.task_id, event)
        if isinstance(outcome, Lost) and self._arrived(event["timestamp"]):
            outcome = Sent()
        self.judge(outcome, what)
        answered = dict(answers.body) if answers is not None else None
        return Response(self.record, self.status, done, event, answered)

    def judge(self, outcome: Outcome, what: str, *, forced: bool = False) -> None:
        """TaskctlError for every outcome but Sent."""
        if isinstance(outcome, Sent):
            return
        ref = self.record.ref
        if forced and isinstance(outcome, Refusal) and outcome.status == 409:
            raise TaskctlError.of(Code.STILL_BUSY, ref=str(ref), words=outcome.words)
        caller = self.tasks.ctx.client.identity()
        cancels = what == "cancellation"
        delivery = Delivery(ref, f"the {what}", self.record.identity, caller, cancels=cancels)
        raise TaskctlError([delivery_error(outcome, delivery)])

    def _arrived(self, mark: str) -> bool:
        """Whether the task's events contain what was sent, although no response arrived."""
        ref = self.record.ref
        try:
            events = self.tasks.ctx.reader.events(ref.org_name, self.record.task_id, None)[0]
        except TaskctlError:
            return False
        return _has_mark(events, mark)

    def show_last_words(self) -> None:
        """The task's status, and what it said last."""
        words, ui = self.status.summary.words, self.tasks.ctx.ui
        note = Note.LAST_WORDS if words else Note.LAST_STATUS
        if self.status.approvals:
            asks = any(approval.is_question for approval in self.status.approvals)
            note = Note.TASK_ASKS if asks else Note.TASK_WAITS
        ui.note(note, ref=self.name, status=self.status.state.value, words=words)


def confirmed(
    ctx: Context, question: Question, *, yes: bool, again: tuple[str, ...], **facts: Arg
) -> bool:
    """Whether to go on. TaskctlError if nobody can be asked; `again` is what to run then."""
    if yes:
        return True
    if not ctx.ui.interactive:
        raise TaskctlError.of(Code.CONFIRMATION_REQUIRED, command=again)
    return ctx.ui.ask(question, strict=False, **facts)


def _has_mark(events: Iterable[Event], mark: str) -> bool:
    return any(is_user_event(event) and body_of(event).get("timestamp") == mark for event in events)
