"""`taskctl inbox | approve | reject | say | cancel`: show what tasks ask, and respond."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import BACKEND, READS, SELECTED, SELECTION, STATE, YES, argument, option
from reconciler.cli.usage import UsageError
from reconciler.render.respond import Response, response_text, responses_document

if TYPE_CHECKING:
    from reconciler.app.respond import Responses
    from reconciler.cli.console.output import Output
    from reconciler.model.diagnostics import Diagnostic

REQUEST = option("--request", metavar="ID", help="The request to answer, if there are several.")


@make_command(
    "inbox",
    SELECTION,
    *READS,
    examples=[
        ("taskctl inbox", "respond to the open requests, the oldest first"),
        ("taskctl inbox 'rotate-*'", "only those of some tasks"),
        ("taskctl inbox --format json", "list them for a program"),
    ],
)
def inbox_command(call: Call, selectors: tuple[str, ...]) -> int:
    """List open requests, oldest first. On a terminal, answer them one by one.

    An answer is rejected if the request has changed since it was shown. Tool calls that run outside
    the service are only listed.
    """
    from reconciler.app.inbox import answer_inbox, inbox
    from reconciler.render.status.document import inbox_document
    from reconciler.render.status.inbox import inbox_text

    found = inbox(call.ctx, selectors)
    if call.ctx.ui.interactive and found.requests:
        return _show(call.out, answer_inbox(found), skippable=True)
    call.out.result(
        lambda: inbox_document(found.requests, found.read_at),
        lambda style: inbox_text(found.requests, style, found.read_at),
    )
    return 0


@make_command(
    "approve",
    SELECTED,
    option("-m", "--message", metavar="TEXT", help="The answer to a question."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        ("taskctl approve rotate-iam-keys", "show the request, then ask"),
        ("taskctl approve 'rotate-*'", "one waiting task after the other"),
        ('taskctl approve rotate-iam-keys -m "eu-west-1"', "the answer to a question"),
        ("taskctl approve rotate-iam-keys --request ID -y", "exactly the request that you saw"),
    ],
)
def approve_command(
    call: Call, selectors: tuple[str, ...], message: str | None, request: str | None, yes: bool
) -> int:
    """Approve the open requests of tasks. Each request is shown first, on stderr.

    An answer is rejected if the request has changed since it was shown.
    """
    from reconciler.app import respond

    if (request is not None or message is not None) and len(selectors) > 1:
        raise UsageError("oneKey", option="--message" if request is None else "--request")
    answer = "" if message is None else _message_text(message, "-m TEXT")
    return _show(
        call.out, respond.approve(call.ctx, selectors, answer=answer, request_id=request, yes=yes)
    )


@make_command(
    "reject",
    SELECTED,
    option("-m", "--message", required=True, metavar="TEXT", help="What to do instead."),
    *(REQUEST, YES, BACKEND, STATE),
    examples=[
        ('taskctl reject rotate-iam-keys -m "Not in production."', "and say what to do instead"),
        ("taskctl reject 'rotate-*' -m \"Not today.\"", "one waiting task after the other"),
    ],
)
def reject_command(
    call: Call, selectors: tuple[str, ...], message: str, request: str | None, yes: bool
) -> int:
    """Reject the open requests of tasks. Each request is shown first, on stderr.

    If several tasks have open requests, asks for confirmation of each.
    """
    from reconciler.app import respond

    if request is not None and len(selectors) > 1:
        raise UsageError("oneKey", option="--request")
    text = _message_text(message, "-m TEXT")
    return _show(call.out, respond.reject(call.ctx, selectors, text, request_id=request, yes=yes))


@make_command(
    "say",
    argument("key", "KEY|GLOB|PATH", candidates.keys_or_files),
    *(argument("text", "TEXT|-"), YES, BACKEND, STATE),
    examples=[
        ('taskctl say rotate-iam-keys "The audit role as well."', "to a task that is idle"),
        ("taskctl say 'rotate-*' \"The audit role as well.\"", "to several, after confirmation"),
        ("taskctl say rotate-iam-keys - < note.md", "the contents of a file"),
    ],
)
def say_command(call: Call, key: str, text: str, yes: bool) -> int:
    """Send a follow-up message to a task. The task resumes work, which spends tokens.

    The message is sent once; a busy task rejects it. The last message of the task is shown first,
    on stderr.
    """
    from reconciler.app import respond

    stdin = text == "-"
    given = sys.stdin.buffer.read().decode("utf-8", "surrogateescape") if stdin else text
    message = _message_text(given, "TEXT")
    return _show(call.out, respond.say(call.ctx, key, message, yes=yes))


@make_command(
    "cancel",
    SELECTED,
    option("--force", is_flag=True, help="End the session of a stuck task immediately."),
    option(
        "--task",
        "task_id",
        metavar="ID",
        help="Cancel this task of the key instead: one that was replaced, or a duplicate.",
    ),
    *(YES, BACKEND, STATE),
    examples=[
        ("taskctl cancel rotate-iam-keys", "ask the task to stop, after confirmation"),
        ("taskctl cancel 'rotate-*'", "several, each after confirmation"),
        ("taskctl cancel rotate-iam-keys --task 0192f0c4", "a task that was replaced"),
        ("taskctl cancel rotate-iam-keys --force -y", "end its session if it did not stop"),
    ],
)
def cancel_command(
    call: Call, selectors: tuple[str, ...], force: bool, task_id: str | None, yes: bool
) -> int:
    """Cancel running tasks. They continue to exist, and accept further messages.

    Each agent is asked to stop; with --force, its session is ended instead.
    """
    from reconciler.app import respond

    if task_id is not None and len(selectors) > 1:
        raise UsageError("oneKey", option="--task")
    return _show(
        call.out, respond.cancel(call.ctx, selectors, task_id=task_id, force=force, yes=yes)
    )


def _message_text(text: str, name: str) -> str:
    """The text of a message. UsageError if it is empty or not valid UTF-8."""
    if not text.strip():
        raise UsageError("empty", name=name)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise UsageError("utf8", name=name) from problem
    return text


def _show(out: Output, sent: Responses, *, skippable: bool = False) -> int:
    """Shows each response and problem as it arrives, or one document at the end. Returns exit code
    1 if there is a problem, or if nothing was sent, unless `skippable`."""
    responses: list[Response] = []
    problems: list[Diagnostic] = []
    as_text = out.options.format == "text"
    for outcome in sent:
        if isinstance(outcome, Response):
            responses.append(outcome)
            if as_text and not out.options.quiet:
                out.document(response_text(outcome))
            continue
        problems += outcome.diagnostics
        if as_text:
            out.diagnostics(outcome.diagnostics)
    if not as_text:
        from reconciler.render.document import dump

        out.document(dump(responses_document(responses, out.withheld(problems))))
    return int(bool(problems) or not (responses or skippable))
