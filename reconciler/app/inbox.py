"""`inbox`: the open requests of all tasks, and a conversation about them on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconciler.app.context import Context
from reconciler.app.recorded_tasks import RecordedTasks
from reconciler.app.respond import QUIT, Recipient, Responses, read_answer
from reconciler.model.diagnostics import TaskctlError
from reconciler.model.value import Value
from reconciler.tasks.status import OpenRequest, RequestKind, all_requests


class Inbox(Value, frozen=True):
    """The open requests of the selected tasks at `read_at`, the oldest first."""

    tasks: RecordedTasks
    requests: tuple[OpenRequest, ...]
    read_at: datetime


def inbox(ctx: Context, selectors: Sequence[str]) -> Inbox:
    """Reads the open requests of the selected tasks. TaskctlError."""
    tasks, refs = RecordedTasks.select(ctx, selectors)
    return Inbox(tasks, all_requests(tasks.statuses(refs)), ctx.now())


def answer_inbox(inbox: Inbox) -> Responses:
    """Prompts for a reply to each request in turn. A reply is only sent if the request that was
    shown is still open."""
    ctx, count, answered, skipped = inbox.tasks.ctx, len(inbox.requests), 0, 0
    for number, request in enumerate(inbox.requests, 1):
        status = request.status
        task = Recipient(inbox.tasks, inbox.tasks.record(status.ref), status)
        task.note_request(number, count)
        ctx.ui.show_request(request, inbox.read_at)
        reply = _read_reply(ctx, request) if request.approval is not None else (False, "")
        if reply is None:
            break
        ok, text = reply
        if request.approval is None or not (ok or text):
            skipped += 1
            continue
        try:
            yield task.reply(request.approval, ok=ok, text=text)
            answered += 1
        except TaskctlError as problem:
            yield problem
            skipped += 1
    left = count - answered - skipped
    ctx.ui.note("requests_done", answered=answered, skipped=skipped, left=left)


def _read_reply(ctx: Context, request: OpenRequest) -> tuple[bool, str] | None:
    """Whether to approve, and the text to send; `(False, "")` skips. None: quit, or the end of the
    input. Anything else is asked again."""
    if request.kind is RequestKind.ANSWER:
        answer = read_answer(ctx)
        return None if answer is None else (bool(answer), answer)
    while True:
        choice = ctx.ui.read_line("ask.reply")
        word = choice.strip().lower() if choice is not None else "q"
        if word in QUIT:
            return None
        if word in ("y", "yes", "", "s", "skip"):
            return word in ("y", "yes"), ""
        if word in ("r", "reject"):
            instead = ctx.ui.read_line("ask.instead")
            return None if instead is None else (False, instead.strip())
        ctx.ui.note("unknown_reply", answer=word)
