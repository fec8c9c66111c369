"""Codes of the commands after the create, such as `approve`; part of TC8xx."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.NO_SUCH_TASK: Entry(
        title="No such task",
        why="The service has no task with this ID, or does not show it to the owner of the token.",
        fix="Check the ID and the organization, or use a token of the user who created the task.",
        cases={
            "": Message(
                "no task {task_id} in {org}, or this token cannot see it",
                "Nothing was changed. Check the ID, or use a token of the user who created it.",
            ),
            "import": Message(
                "no task {task_id} in {org}, or this token cannot see it",
                "Nothing was imported. Check the ID, name its organization with --org, or use a "
                "token of the user who created it.",
            ),
            "resource": Message("{name}: no task {task_id}, or this token cannot see it"),
        },
    ),
    Code.NO_TASK_YET: Entry(
        title="No task known yet",
        why="The attempt to create the task is unresolved, so its ID is unknown.",
        fix="Run `taskctl plan` to see whether it exists, or `taskctl state resolve KEY`.",
        cases={
            "": Message(
                "{ref}: the attempt to create it is unresolved, so no task is known",
                "To see its status, run:",
                "taskctl plan",
            )
        },
    ),
    Code.WRONG_TASK: Entry(
        title="Not a task of this key",
        why="The ID is neither that of the key's task, nor of one that it replaced, nor of a "
        "redundant one.",
        fix="`taskctl show KEY` lists the IDs.",
        cases={
            "": Message(
                "{ref} never had a task {task_id:q}",
                "Nothing was sent. To see the tasks that it had, run:",
                "taskctl show {ref:key}",
            )
        },
    ),
    Code.NO_APPROVAL: Entry(
        title="No pending approval",
        why="The task does not ask for approval now, or not for the request that was named.",
        fix="`taskctl logs KEY` shows the conversation, `taskctl status` the tasks that are "
        "waiting.",
        cases={
            "": Message(
                "{ref}: no pending approval; the task is {status}",
                "Nothing was sent. To see the conversation, run:",
                "taskctl logs {ref:key}",
            ),
            "input": Message(
                "{ref}: no pending approval; the task waits for input",
                "Nothing was sent. To see the conversation, run:",
                "taskctl logs {ref:key}",
            ),
            "id": Message(
                "{ref}: no pending approval with the ID {request:q}",
                "Nothing was sent. To see the conversation, run:",
                "taskctl logs {ref:key}",
            ),
            "none": Message(
                "none of {count} tasks has a pending approval",
                "Nothing was sent. To see the tasks, run:",
                "taskctl status",
            ),
            "changed": Message(
                "{ref}: the request has changed since it was shown",
                "Nothing was sent. To see what it asks now, run:",
                "taskctl approve {ref:key}",
            ),
        },
    ),
    Code.SEVERAL_APPROVALS: Entry(
        title="Several pending approvals",
        why="The task asks for several things at once.",
        fix="Look at them with `taskctl logs KEY`, then name one with `--request ID`.",
        cases={
            "": Message(
                "{ref}: {count} approvals are pending",
                "Name one with --request: {ids:list}. To see them, run:",
                "taskctl logs {ref:key}",
            )
        },
    ),
    Code.STILL_BUSY: Entry(
        title="Task still busy",
        why="The session of the task was ended, but the service has not marked it as idle yet.",
        fix="Check its status in a minute.",
        cases={
            "": Message(
                "{ref}: its session was ended, but the task is not idle yet ({words})",
                "Check again in a minute:",
                "taskctl status {ref:key}",
            )
        },
    ),
}
