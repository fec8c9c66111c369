"""`approve`, `reject`, `say` and `cancel`: see what a task asks, confirm, send once, report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.app.context import Context
from reconciler.app.task_sessions import TaskSessions, select_refs
from reconciler.messages import word
from reconciler.messages.notes import Note, Question
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Diagnostic, Place, error
from reconciler.model.errors import TaskctlError
from reconciler.model.remarks import Remark
from reconciler.model.task import rfc3339
from reconciler.render.response import Response
from reconciler.state.edit import find
from reconciler.tasks.events import Approval, body_of, is_users
from reconciler.tasks.refusals import Delivery, Lost, Outcome, Refusal, Sent, problem
from reconciler.tasks.status import SETTLED, TaskState, TaskStatus

if TYPE_CHECKING:
    from reconciler.model.diagnostics import Arg
    from reconciler.model.task import TaskRef
    from reconciler.state.model import Record
    from reconciler.tasks.events import Event


def approve(
    ctx: Context, words: Sequence[str], *, request_id: str | None, yes: bool, answer: str = ""
) -> Iterator[Response]:
    """Approves what the tasks that `words` select ask for, after showing each request. One key has
    to be asking; of several, those that are not are passed over. A question needs an `answer`, and
    only a question takes one. TaskctlError."""
    tasks = TaskSessions.open(ctx)
    refs = select_refs(ctx, tasks.state, words)
    if len(refs) == 1:
        waiting = [_Addressed.of(tasks, refs[0])]
    else:
        known = [ref for ref in refs if ref in tasks.state.records]
        found = [_Addressed(tasks, tasks.record(s.ref), s) for s in tasks.statuses(known)]
        waiting = [task for task in found if task.status.approvals]
    for task in waiting:
        approval = task.approval(request_id)
        ctx.ui.show_approval(task.record.ref, approval)
        task.check_answer(approval, answer)
        more = ("-m", answer) if answer else ()
        again = ("approve", task.name, "--request", approval.id, *more, "-y")
        if not _confirmed(ctx, Question.APPROVE, yes=yes, again=again):
            ctx.ui.note(Note.NOTHING_SENT)
            continue
        if not yes:
            task.check_unchanged(approval)
        event = task.event(**approval.reply(ok=True, text=answer))
        done, what = ("answered", "answer") if answer else ("approved", "approval")
        yield task.send(event, done, what, approval)


def reject(ctx: Context, key: str, message: str, *, request_id: str | None) -> Response:
    """Rejects what a task asks for, with what to do instead. TaskctlError."""
    task = _Addressed.open(ctx, key)
    approval = task.approval(request_id)
    ctx.ui.show_approval(task.record.ref, approval)
    event = task.event(**approval.reply(ok=False, text=message))
    return task.send(event, "rejected", "rejection", approval)


def send_message(ctx: Context, key: str, message: str) -> Response:
    """Sends a follow-up message. TaskctlError."""
    task = _Addressed.open(ctx, key)
    task.show_last_words()
    return task.send(task.event(type="user_message", content=message), "sent", "message")


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """`task_id` names a task that the key had before. `force` ends the session of a stuck task."""

    key: str
    task_id: str | None = None
    force: bool = False
    yes: bool = False


def cancel(ctx: Context, request: CancelRequest) -> Response | None:
    """Asks a task to stop, or ends its session. None: declined. TaskctlError."""
    task = _Addressed.open(ctx, request.key, request.task_id)
    task.show_last_words()
    if task.status.state in SETTLED and not request.force:
        return Response(task.record, task.status, "nothingToCancel")
    question = Question.FORCE_CANCEL if request.force else Question.CANCEL
    more = ["--task", request.task_id] if request.task_id else []
    more += ["--force"] if request.force else []
    again = ("cancel", task.name, *more, "-y")
    if not _confirmed(ctx, question, yes=request.yes, again=again, ref=task.name):
        ctx.ui.note(Note.NOTHING_SENT)
        return None
    if not request.force:
        return task.send(task.event(type="user_cancel"), "cancelled", "cancellation")
    record = task.record
    outcome = ctx.reader.cancel_by_force(record.ref.org_name, record.task_id)
    task.judge(outcome, "cancellation", forced=True)
    return Response(record, task.status, "sessionEnded", {"force": True})


def cancel_replaced(ctx: Context, record: Record) -> tuple[Remark, ...]:
    """Cancels a task that another one replaced, for apply: nothing, or what went wrong."""
    try:
        why = _cancel_replaced(ctx, record)
    except TaskctlError as problem:
        why = problem.diagnostics[0]
    if why is None:
        return ()
    facts = {"old": record.task_id, "why": word(why).summary, "ref": str(record.ref)}
    return (Remark("apply.not_cancelled", facts),)


def _cancel_replaced(ctx: Context, record: Record) -> Diagnostic | None:
    status = ctx.reader.status(record)
    if status.state in SETTLED and status.state is not TaskState.NOT_VISIBLE:
        return None
    event = {"type": "user_cancel", "timestamp": rfc3339(ctx.clock.now())}
    outcome = ctx.reader.respond(record.ref.org_name, record.task_id, event)
    if isinstance(outcome, Sent):
        return None
    caller = ctx.client.identity()
    return problem(outcome, Delivery(record.ref, "the cancellation", record.identity, caller))


@dataclass(frozen=True, slots=True)
class _Addressed:
    """One task to be told something, and its status."""

    tasks: TaskSessions
    record: Record
    status: TaskStatus

    @classmethod
    def open(cls, ctx: Context, key: str, task_id: str | None = None) -> _Addressed:
        tasks = TaskSessions.open(ctx)
        return cls.of(tasks, find(tasks.state, key), task_id)

    @classmethod
    def of(cls, tasks: TaskSessions, ref: TaskRef, task_id: str | None = None) -> _Addressed:
        """TaskctlError if there is no task, or the service does not show it to this token."""
        record = tasks.record(ref)
        if task_id is not None:
            if task_id not in (record.task_id, *record.former):
                raise TaskctlError([error(Code.WRONG_TASK, ref=str(ref), task_id=task_id)])
            record = replace(record, task_id=task_id)
        status = tasks.ctx.reader.statuses([record], 1)[0]
        if status.state in (TaskState.GONE, TaskState.NOT_VISIBLE):
            raise tasks.not_visible(record)
        return cls(tasks, record, status)

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
            raise TaskctlError(
                [error(Code.SEVERAL_APPROVALS, at=place, ids=ids, count=len(ids), **facts)]
            )
        if request_id is not None and self.status.approvals:
            raise TaskctlError(
                [error(Code.NO_APPROVAL, "id", at=place, request=request_id, **facts)]
            )
        waiting = self.status.state is TaskState.WAITING
        case, status = "input" if waiting else "", self.status.state.value
        raise TaskctlError([error(Code.NO_APPROVAL, case, at=place, status=status, **facts)])

    def check_answer(self, approval: Approval, answer: str) -> None:
        """TaskctlError for a question without an answer, and for an answer to anything else."""
        if approval.is_question != bool(answer):
            case = "" if approval.is_question else "no-question"
            place = Place(key=self.record.ref.key)
            raise TaskctlError([error(Code.ANSWER_REQUIRED, case, at=place, ref=self.name)])

    def check_unchanged(self, approval: Approval) -> None:
        """TaskctlError if the task asks something else by now than what was shown."""
        now = self.tasks.ctx.reader.status(self.record)
        if approval not in now.approvals:
            raise TaskctlError(
                [error(Code.NO_APPROVAL, "changed", ref=self.name, request=approval.id)]
            )

    def event(self, **members: Any) -> dict[str, Any]:
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
            raise TaskctlError([error(Code.STILL_BUSY, ref=str(ref), words=outcome.words)])
        caller = self.tasks.ctx.client.identity()
        cancels = what == "cancellation"
        delivery = Delivery(ref, f"the {what}", self.record.identity, caller, cancels=cancels)
        raise TaskctlError([problem(outcome, delivery)])

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
        ui.note(note, ref=self.name, status=self.status.state.value, words=words)


def _confirmed(
    ctx: Context, question: Question, *, yes: bool, again: tuple[str, ...], **facts: Arg
) -> bool:
    """Whether to go on. TaskctlError if nobody can be asked; `again` is what to run then."""
    if yes:
        return True
    if not ctx.ui.interactive:
        raise TaskctlError([error(Code.CONFIRMATION_REQUIRED, command=again)])
    return ctx.ui.ask(question, strict=False, **facts)


def _has_mark(events: Iterable[Event], mark: str) -> bool:
    return any(is_users(event) and body_of(event).get("timestamp") == mark for event in events)
