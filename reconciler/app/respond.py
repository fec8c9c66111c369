"""`approve`, `reject`, `say` and `cancel`: show open requests, and send responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks, confirm
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Place, TaskctlError
from reconciler.model.task import TaskRef, rfc3339
from reconciler.model.task_state import TaskState
from reconciler.model.value import Value, replace
from reconciler.state.model import Record
from reconciler.tasks.delivery import Lost, Refusal, delivery_error, may_send
from reconciler.tasks.events import Approval, body_of, is_user_event
from reconciler.tasks.status import TaskStatus


class Response(Value, frozen=True):
    """`sent` is the event (None if there was nothing to send), `answered` the request that it
    answers, `done` the outcome."""

    record: Record
    status: TaskStatus
    done: str
    sent: Mapping[str, object] | None = None
    answered: Mapping[str, object] | None = None


Responses = Iterator[Response | TaskctlError]
"""Each response, or the error if it was not sent, in the order of the tasks."""


class Recipient(Value, frozen=True):
    """A recorded task and its status. `command` is the command that answers it, for its creator."""

    tasks: RecordedTasks
    record: Record
    status: TaskStatus
    command: tuple[str, ...] = ()

    @classmethod
    def read(cls, tasks: RecordedTasks, ref: TaskRef, command: tuple[str, ...]) -> Recipient:
        """The task of a key. Raises TaskctlError if there is none, or if it is not visible to this
        token."""
        record = tasks.record(ref)
        status = tasks.status(record)
        if not status.state.is_shown:
            raise tasks.not_visible(record, command)
        return cls(tasks, record, status, command)

    @classmethod
    def read_waiting(cls, tasks: RecordedTasks, refs: Sequence[TaskRef]) -> list[Recipient]:
        """The tasks that wait for an approval or an answer. Raises RemoteError."""
        recorded = [ref for ref in refs if ref in tasks.state.records]
        found = [cls(tasks, tasks.record(s.ref), s) for s in tasks.statuses(recorded)]
        return [task for task in found if task.status.approvals]

    @property
    def name(self) -> str:
        return str(self.record.ref)

    def find_approval(self, request_id: str | None) -> Approval:
        """The open request with that ID; without an ID, the only open request. Raises
        TaskctlError."""
        matching = [
            request for request in self.status.approvals if request_id in (None, request.id)
        ]
        if len(matching) == 1:
            return matching[0]
        place, facts = Place(key=self.record.ref.key), {"ref": self.name}
        if matching:
            ids = tuple(request.id for request in matching)
            raise TaskctlError.of(
                Code.SEVERAL_APPROVALS, at=place, ids=ids, count=len(ids), **facts
            )
        if request_id is not None and self.status.approvals:
            raise TaskctlError.of(Code.NO_APPROVAL, "id", at=place, request=request_id, **facts)
        case = "input" if self.status.state is TaskState.WAITING else ""
        status = self.status.state.label
        raise TaskctlError.of(Code.NO_APPROVAL, case, at=place, status=status, **facts)

    def reply(self, approval: Approval, *, ok: bool, text: str) -> Response:
        """Replies to a request that was shown. Raises TaskctlError, also if it is no longer
        open."""
        if approval not in self.tasks.ctx.reader.status(self.record).approvals:
            raise TaskctlError.of(Code.NO_APPROVAL, "changed", ref=self.name, request=approval.id)
        done, what = ("approved", "approval") if ok else ("rejected", "rejection")
        if ok and text:
            done, what = "answered", "answer"
        command = _command("approve" if ok else "reject", self.name, approval.id, text)
        sender = replace(self, command=command)
        return sender.send(approval.reply(ok=ok, text=text), done, what, approval)

    def send(
        self, members: Mapping[str, Any], done: str, what: str, answers: Approval | None = None
    ) -> Response:
        """Sends a user event with these members, once. Raises TaskctlError if the task rejected it,
        or if the outcome is unknown."""
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
        """Raises TaskctlError unless `failed` is None: the task accepted the event."""
        if failed is None:
            return
        if forced and isinstance(failed, Refusal) and failed.status == 409:
            place = Place(key=self.record.ref.key)
            raise TaskctlError.of(Code.STILL_BUSY, at=place, ref=self.name, words=failed.answer)
        caller = self.tasks.ctx.client.identity()
        if isinstance(failed, Refusal) and failed.status == 404 and self._is_shown():
            failed = replace(failed, status=0)  # a single 404 proves nothing
        problem = delivery_error(
            failed,
            self.record,
            caller,
            f"the {what}",
            command=self.command,
            cancels=what == "cancellation",
        )
        raise TaskctlError([problem])

    def _is_shown(self) -> bool:
        """Whether the service shows the task of this user. Raises RemoteError."""
        status = self.tasks.ctx.reader.status(self.record)
        return status.state.is_shown and may_send(
            self.tasks.ctx.client.identity(), self.record, status
        )

    def _has_event(self, timestamp: str) -> bool:
        """Whether the task received the event although the response was lost."""
        ref, reader = self.record.ref, self.tasks.ctx.reader
        try:
            return any(
                is_user_event(event) and body_of(event).get("timestamp") == timestamp
                for page, _ in reader.event_pages(ref.org_name, self.record.task_id, None)
                for event in page
            )
        except TaskctlError:
            return False

    def show_last_message(self) -> None:
        """Shows the task's status and its last message."""
        words, ui = self.status.summary.words, self.tasks.ctx.ui
        note, request = "last_words" if words else "task_status", ""
        if self.status.approvals:
            asks = any(approval.is_question for approval in self.status.approvals)
            note, request = "task_asks" if asks else "task_waits", self.status.approvals[0].id
        ui.note(note, ref=self.name, status=self.status.state.label, words=words, request=request)

    def note_creator(self, command: tuple[str, ...]) -> None:
        """Before a question, notes whether only another user can send the `command`."""
        ui, caller = self.tasks.ctx.ui, self.tasks.ctx.client.identity()
        if ui.interactive and not may_send(caller, self.record, self.status):
            ui.note("not_creator", ref=self.name, command=command)


def approve(
    ctx: Context,
    selectors: Sequence[str],
    *,
    answer: str = "",
    request_id: str | None = None,
    yes: bool = False,
) -> Responses:
    """Approves the open requests of the selected tasks, after showing each; a question requires an
    `answer`, and no other request accepts an answer. Raises TaskctlError if no task has an open
    request."""
    for task, approval in _open_requests(ctx, "approve", selectors, request_id, answer):
        try:
            yield from _approve(task, approval, answer, yes=yes)
        except TaskctlError as problem:
            yield problem


def _approve(task: Recipient, approval: Approval, answer: str, *, yes: bool) -> Iterator[Response]:
    ctx, prompted = task.tasks.ctx, False
    ctx.ui.show_approval(task.record.ref, approval)
    text = answer or "TEXT" * approval.is_question
    task.note_creator(_command("approve", task.name, approval.id, text))
    if approval.is_question and not (answer or yes) and ctx.ui.interactive:
        answer, prompted = (ctx.ui.read_line("ask.answer") or "").strip(), True
        if answer.lower() in ("", "q", "quit"):  # `-m q` sends a q
            ctx.ui.note("nothing_sent")
            return
    if approval.is_question != bool(answer):
        case, place = "" if approval.is_question else "no-question", Place(key=task.record.ref.key)
        facts = {"ref": task.name, "request": approval.id}
        raise TaskctlError.of(Code.ANSWER_REQUIRED, case, at=place, **facts)
    again = (*_command("approve", task.name, approval.id, answer), "-y")
    if prompted or confirm(ctx, "ask.approve", yes=yes, again=again):
        yield task.reply(approval, ok=True, text=answer)
    else:
        ctx.ui.note("nothing_sent")


def reject(
    ctx: Context,
    selectors: Sequence[str],
    instead: str,
    *,
    request_id: str | None = None,
) -> Responses:
    """Rejects the open requests of the selected tasks, with what to do `instead`. Several requests
    are confirmed separately; without a terminal, the request must be specified. Raises TaskctlError
    if no task has an open request."""
    requests = _open_requests(ctx, "reject", selectors, request_id, instead)
    is_meant = request_id is not None or (len(requests) == 1 and ctx.ui.interactive)
    for task, approval in requests:
        ctx.ui.show_approval(task.record.ref, approval)
        again = _command("reject", task.name, approval.id, instead)
        task.note_creator(again)
        try:
            if confirm(ctx, "ask.reject", yes=is_meant, again=again):
                yield task.reply(approval, ok=False, text=instead)
            else:
                ctx.ui.note("nothing_sent")
        except TaskctlError as problem:
            yield problem


def _command(action: str, name: str, request_id: str, text: str) -> tuple[str, ...]:
    return (action, name, "--request", request_id, *(("-m", text) if text else ()))


def _open_requests(
    ctx: Context, action: str, selectors: Sequence[str], request_id: str | None, text: str
) -> list[tuple[Recipient, Approval]]:
    tasks, refs = RecordedTasks.select(ctx, selectors)
    if len(refs) == 1:
        command = _command(action, str(refs[0]), request_id, text) if request_id else ()
        task = Recipient.read(tasks, refs[0], command)
        return [(task, task.find_approval(request_id))]
    if request_id is not None:
        raise TaskctlError.of(Code.USAGE, "oneKey", option="--request")
    waiting = Recipient.read_waiting(tasks, refs)
    if not waiting:
        raise TaskctlError.of(Code.NO_APPROVAL, "none", count=len(refs))
    found = {task.record.ref for task in waiting}
    for ref in refs:
        if ref not in found and {ref.key, str(ref)} & set(selectors):
            ctx.ui.note("no_request", ref=str(ref))
    return [(task, approval) for task in waiting for approval in task.status.approvals]


def say(ctx: Context, selector: str, message: str, *, yes: bool = False) -> Responses:
    """Sends a follow-up message to the selected tasks; to several after confirmation. Raises
    TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, [selector])
    names = tuple(map(str, refs))
    again = ("say", selector, message, "-y")
    if len(refs) > 1 and not confirm(ctx, "ask.say", yes=yes, again=again, refs=names):
        ctx.ui.note("nothing_sent")
        return
    for ref in refs:
        name = str(ref) if len(refs) == 1 else selector
        try:
            task = Recipient.read(tasks, ref, ("say", name, message))
            task.show_last_message()
            yield task.send({"type": "user_message", "content": message}, "sent", "message")
        except TaskctlError as problem:
            yield problem


def cancel(
    ctx: Context,
    selectors: Sequence[str],
    *,
    force: bool = False,
    yes: bool = False,
) -> Responses:
    """Cancels the selected tasks, each after confirmation, also those that the state does not know;
    `force` ends the session of a stuck task. Raises TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors, unrecorded=True)
    for ref in refs:
        names = (str(ref),) if len(refs) == 1 else selectors
        try:
            command = ("cancel", *names, *(("--force",) if force else ()))
            yield from _cancel(Recipient.read(tasks, ref, command), force=force, yes=yes)
        except TaskctlError as problem:
            yield problem


def _cancel(task: Recipient, *, force: bool, yes: bool) -> Iterator[Response]:
    ctx, record = task.tasks.ctx, task.record
    task.show_last_message()
    if task.status.state.has_ended and not force:
        yield Response(record, task.status, "ended")
        return
    task.note_creator(task.command)
    question = "ask.force_cancel" if force else "ask.cancel"
    if not confirm(ctx, question, yes=yes, again=(*task.command, "-y"), ref=task.name):
        ctx.ui.note("nothing_sent")
    elif force:
        outcome = ctx.reader.force_cancel(record.ref.org_name, record.task_id)
        task.raise_if_failed(outcome, "cancellation", forced=True)
        yield Response(record, task.status, "sessionEnded", {"force": True})
    else:
        yield task.send({"type": "user_cancel"}, "cancelled", "cancellation")
