"""`approve`, `reject` and `inbox`: show what tasks ask, and send the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.app.addressed import Addressed, confirmed
from reconciler.app.context import Context
from reconciler.app.task_sessions import TaskSessions, select_refs
from reconciler.messages.notes import Note, Question
from reconciler.model.codes import Code
from reconciler.model.errors import TaskctlError
from reconciler.render.response import Response
from reconciler.tasks.open_requests import OpenRequest, RequestKind, all_requests

if TYPE_CHECKING:
    from reconciler.tasks.events import Approval

_APPROVE, _REJECT = ("y", "yes"), ("r", "reject")


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """`words` select tasks, `request_id` one of several requests of a single task. `text` answers
    a question, or says what to do instead."""

    words: tuple[str, ...]
    text: str = ""
    request_id: str | None = None
    yes: bool = False


Sending = Iterator[Response | TaskctlError]
"""What was sent, and why something was not, in the order of the tasks."""


def approve(ctx: Context, request: ReplyRequest) -> Sending:
    """Approves what the selected tasks ask for, after showing each request. One key has to be
    asking; of several, those that are not are passed over. A question needs an answer, and only a
    question takes one. TaskctlError if no task is asking."""
    for task, approval in _asked(ctx, request):
        try:
            yield from _approve(ctx, task, approval, request)
        except TaskctlError as problem:
            yield problem


def _approve(
    ctx: Context, task: Addressed, approval: Approval, request: ReplyRequest
) -> Iterator[Response]:
    ctx.ui.show_approval(task.record.ref, approval)
    answer, asked = request.text, False
    if approval.is_question and not (answer or request.yes) and ctx.ui.interactive:
        answer, asked = (ctx.ui.read_line(Question.ANSWER) or "").strip(), True
        if not answer:
            ctx.ui.note(Note.NOTHING_SENT)
            return
    task.check_answer(approval, answer)
    more = ("-m", answer) if answer else ()
    again = ("approve", task.name, "--request", approval.id, *more, "-y")
    if not (asked or confirmed(ctx, Question.APPROVE, yes=request.yes, again=again)):
        ctx.ui.note(Note.NOTHING_SENT)
        return
    yield task.reply(approval, ok=True, text=answer)


def reject(ctx: Context, request: ReplyRequest) -> Sending:
    """Rejects what the selected tasks ask for, with what to do instead. If several ask, each is
    confirmed. TaskctlError if no task is asking."""
    asked = _asked(ctx, request)
    for task, approval in asked:
        ctx.ui.show_approval(task.record.ref, approval)
        again = ("reject", task.name, "--request", approval.id, "-m", request.text)
        yes = request.yes or len(asked) == 1
        try:
            if confirmed(ctx, Question.REJECT, yes=yes, again=again):
                yield task.reply(approval, ok=False, text=request.text)
            else:
                ctx.ui.note(Note.NOTHING_SENT)
        except TaskctlError as problem:
            yield problem


def _asked(ctx: Context, request: ReplyRequest) -> list[tuple[Addressed, Approval]]:
    tasks = TaskSessions.open(ctx, request.words)
    refs = select_refs(ctx, tasks.state, request.words)
    if len(refs) == 1:
        task = Addressed.of(tasks, refs[0])
        return [(task, task.approval(request.request_id))]
    waiting = Addressed.waiting(tasks, refs)
    if not waiting:
        raise TaskctlError.of(Code.NO_APPROVAL, "none", count=len(refs))
    return [(task, approval) for task in waiting for approval in task.status.approvals]


@dataclass(frozen=True, slots=True)
class Inbox:
    """The open requests of the selected tasks, as they were `read_at`."""

    tasks: TaskSessions
    requests: tuple[OpenRequest, ...]
    read_at: datetime


def inbox(ctx: Context, words: Sequence[str]) -> Inbox:
    """The open requests, the oldest first. TaskctlError."""
    tasks = TaskSessions.open(ctx, words)
    refs = select_refs(ctx, tasks.state, words)
    return Inbox(tasks, all_requests(tasks.statuses(refs)), ctx.now())


def answer_inbox(inbox: Inbox) -> Sending:
    """Asks a person for the answer to each request, one after the other. An answer is sent only if
    the task still asks what was shown."""
    ctx = inbox.tasks.ctx
    for request in inbox.requests:
        ctx.ui.show_request(request, inbox.read_at)
        if request.approval is None:
            continue
        task = Addressed(inbox.tasks, inbox.tasks.record(request.status.ref), request.status)
        reply = _reply(ctx, request)
        if reply is None:
            return
        ok, text = reply
        if request.kind is RequestKind.ANSWER and not text:
            continue
        try:
            if ok or text:
                yield task.reply(request.approval, ok=ok, text=text)
        except TaskctlError as problem:
            yield problem


def _reply(ctx: Context, request: OpenRequest) -> tuple[bool, str] | None:
    """Whether to approve, and the text to send; `(False, "")` skips. None at the end of input."""
    if request.kind is RequestKind.ANSWER:
        answer = ctx.ui.read_line(Question.ANSWER)
        return None if answer is None else (True, answer.strip())
    choice = ctx.ui.read_line(Question.REPLY)
    if choice is None or choice.strip().lower() in ("q", "quit"):
        return None
    if choice.strip().lower() in _REJECT:
        instead = ctx.ui.read_line(Question.INSTEAD)
        return None if instead is None else (False, instead.strip())
    return choice.strip().lower() in _APPROVE, ""
