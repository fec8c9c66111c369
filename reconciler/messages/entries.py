"""TC3xx: entries and expansion."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.DUPLICATE_TASK: Entry(
        title="Duplicate task",
        why="A task key is unique in its organization, across all files.",
        fix="Rename or remove one of the two tasks.",
        cases={"": Message("duplicate task, first defined in {place}")},
    ),
    Code.DUPLICATE_TASK_ID: Entry(
        title="Duplicate task ID",
        why="A remote task belongs to one key. With two, each would claim it.",
        fix="Remove `taskID` from one of the two tasks.",
        cases={"": Message("`{other}` ({place}) has the same taskID")},
    ),
    Code.INVALID_MOVE: Entry(
        title="Invalid move",
        why="`movedFrom` hands the record of a former key to a new one: exactly one task can get "
        "it, and the former key is gone.",
        fix="Name the key that the task had before, in one task only. If the former task still "
        "exists, remove `movedFrom`.",
        cases={
            "self": Message("is the key of this task; use the key that it had before"),
            "declared": Message("`{former}` is still declared ({place})"),
            "twice": Message("`{former}` moved to `{other}` already ({place})"),
        },
    ),
    Code.DUPLICATE_WORK: Entry(
        title="Duplicate work",
        why="Every key has an agent of its own. Two tasks with the same prompt and entities make "
        "two agents do the same work at the same time.",
        fix="Remove one of the tasks, or say in the prompts how they differ.",
        cases={
            "": Message(
                "same prompt as `{other}` ({place}); two agents would do the same work",
                "Remove one of the tasks, or say in the prompts how they differ.",
            )
        },
    ),
}
