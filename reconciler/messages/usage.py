"""TC8xx: usage and configuration."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.INVALID_DURATION: Entry(
        title="Invalid duration",
        why="A duration needs a unit, so that `90` is never read as the wrong one.",
        fix="Write a number and its unit, such as `90s`, `2m30s`, `1h` or `7d`.",
        cases={
            "": Message(
                "invalid duration {text:q}",
                "Use a number and a unit, such as 90s, 2m30s, 1h or 7d.",
            )
        },
    ),
}
