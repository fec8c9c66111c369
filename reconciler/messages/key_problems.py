"""TC74x: what a plan or an apply found about the task of a key."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.DUPLICATE_REMOTE_TASK: Entry(
        title="Two tasks for one key",
        why="The service has more than one task that was created for the key; two agents do the "
        "same work.",
        fix="Look at the tasks, and end the one that is redundant.",
        cases={
            "": Message(
                "{ref}: more than one task exists for this key: {ids:and}",
                "Compare them {links:list}, and end the redundant one:",
                "taskctl cancel {ref:key} --task {extra:id} --force",
            ),
        },
    ),
    Code.NOT_UPDATED: Entry(
        title="Setting not updated",
        why="`apply --update` changes a setting only if just the manifest changed it.",
        fix="Follow the hint of the message.",
        cases={
            "both": Message(
                "{key}: {name} changed in the manifest and remotely; apply will not modify it",
                "It is {theirs} remotely and {ours} in the manifest. Set one of them to the other "
                "value, then run:",
                "taskctl apply --update",
            ),
            "removed": Message(
                "{key}: {names:and} no longer in the manifest; apply will not modify it",
                "The service does not tell its default. Write the value into the manifest, or "
                "accept the current one:",
                "taskctl state accept {ref:key}",
            ),
            "foreign": Message(
                "{key}: cannot change {names:and}: the task belongs to another user",
                "Only {maker}, who created it, can change it. Run the same command with their "
                "token.",
            ),
        },
    ),
    Code.REPLACE_MADE_NONE: Entry(
        title="Replacement not created",
        why="An earlier attempt to replace the task created none, so the key keeps its task.",
        fix="Request the replacement again, if it is still needed.",
        cases={
            "": Message(
                "{key}: the attempt {mark} to replace its task created none",
                "It still has {task_id}. To replace that one, run:",
                "taskctl apply --replace {request:request}",
            )
        },
    ),
    Code.TASK_PROBLEM: Entry(
        title="Problem with a task",
        why="The task exists, but not everything that apply does after the create succeeded.",
        fix="Follow the hint of the message, then run apply again.",
        cases={"": Message("{what}", "{hint}")},
    ),
}
