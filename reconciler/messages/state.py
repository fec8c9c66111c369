"""TC6xx: state and lock."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.STATE_LOCK_LOST: Entry(
        title="Lock or journal removed during a run",
        why="The lock and the journal keep two runs on one state apart. If either file is removed"
        " or replaced, another run can start and create the same tasks.",
        fix="Keep `.lock` and `.journal` files out of reach of cleanup commands such as"
        " `git clean -X`, then run apply again: it looks up what this run sent.",
        cases={
            "": Message(
                "{name} was removed or replaced while this run was using it; nothing more was sent",
                "Another run may have started. Wait until it has ended, then run apply again.",
                "taskctl apply",
            )
        },
    ),
}
