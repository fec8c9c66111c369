"""TC73x: messages to a task."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_AGAIN = "Run the same command again. If the problem persists, check the network and --backend."
_EXPORT = "export PULUMI_ACCESS_TOKEN=..."

ENTRIES = {
    Code.TASK_BUSY: Entry(
        title="Task is busy",
        why="A task accepts messages only while it is idle (409).",
        fix="Wait until it is idle, or stop what it does.",
        cases={
            "": Message(
                "{ref}: the task is busy{answer:paren}",
                "Wait until it is idle, or cancel what it does: taskctl cancel {ref:key}",
                "taskctl wait {ref:key}",
            ),
            "cancel": Message(
                "{ref}: the task is busy{answer:paren}",
                "It did not accept the request to stop. End its session:",
                "taskctl cancel --force {ref:key}",
            ),
        },
    ),
    Code.TASK_GONE: Entry(
        title="Task no longer exists",
        why="The service, queried with the creator's identity, does not know the task any more.",
        fix="Run `taskctl plan` to see whether a new task would be created.",
        cases={
            "": Message(
                "{ref}: the task no longer exists{answer:paren}",
                "See what apply would do about it:",
                "taskctl plan",
            )
        },
    ),
    Code.NOT_THE_CREATOR: Entry(
        title="Task of another user",
        why="Only the creator of a task may send it messages, change it or cancel it.",
        fix="Use the creator's access token.",
        cases={
            "": Message(
                "{ref}: {caller} may not do this{answer:paren}",
                "Only the creator of a task may send it messages. Use the creator's token.",
            ),
            "hidden": Message(
                "{ref}: the task is not visible to {caller}; {creator} created it",
                "Use the creator's token, or ask the creator to share the task.",
            ),
            "known": Message(
                "{ref}: {caller} may not do this; {creator} created the task{answer:paren}",
                "Only the creator of a task may send it messages. Use the creator's token.",
            ),
        },
    ),
    Code.ANSWER_REQUIRED: Entry(
        title="Answer required",
        why="A question that an agent asks with its `ask_user` tool needs an answer in words; other"
        " requests are approved or rejected.",
        fix="Answer a question with `taskctl approve KEY -m TEXT`. To give instructions instead of"
        " an approval, use `taskctl reject KEY -m TEXT`.",
        cases={
            "": Message(
                "{ref}: the task asks a question, which needs an answer",
                "Nothing was sent. Answer it:",
                "taskctl approve {ref:key} -m TEXT",
            ),
            "no-question": Message(
                "{ref}: the request takes no answer, because it is not a question",
                "Nothing was sent. Approve it without -m, or reject it with instructions:",
                "taskctl reject {ref:key} -m TEXT",
            ),
        },
    ),
    Code.DELIVERY_UNKNOWN: Entry(
        title="Unknown whether a message arrived",
        why="A message was sent to a task, but no response came back.",
        fix="Check the task's conversation before sending the message again.",
        cases={
            "": Message(
                "{ref}: {what} was sent, but no response came back ({why})",
                "The task may have received it. Check before sending it again:",
                "taskctl logs {ref:key}",
            )
        },
    ),
    Code.DELIVERY_REJECTED: Entry(
        title="Message rejected",
        why="The service did not accept a message to a task.",
        fix="See what the service's message names, and the task's status.",
        cases={
            "": Message(
                "{ref}: the service rejected {what}{answer:paren}",
                "Check the status of the task:",
                "taskctl status {ref:key}",
            ),
            "unauthorized": Message(
                "{ref}: the access token was rejected{answer:paren}",
                "It may have expired. Set PULUMI_ACCESS_TOKEN to a valid one.",
                _EXPORT,
            ),
            "throttled": Message(
                "{ref}: rate limited{answer:paren}", "Run the same command again in a minute."
            ),
            "unsent": Message("{ref}: nothing was sent: {why}", _AGAIN),
        },
    ),
}
