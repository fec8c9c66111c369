"""TC4xx: prompts and credentials."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_EXECUTOR = "a task created by the API has no `{mode}` attached; its tools would wait for it"
_APPROVER = "`{mode}` without `isShared: true`: only the user of the token can approve"

ENTRIES = {
    Code.BLANK_PROMPT: Entry(
        title="Blank prompt",
        why="An agent without instructions would still start, and cost money.",
        fix="Write the prompt.",
        cases={
            "": Message("the prompt is blank"),
            "file": Message("the prompt file is blank"),
        },
    ),
    Code.CREDENTIAL: Entry(
        title="Credential in a prompt",
        why="A prompt is stored at the service, read by a model and, with `isShared`, visible to "
        "the organization.",
        fix="Name where the credential is kept instead. Revoke it if it is real: it is in the "
        "history of the repository.",
        cases={
            "": Message(
                "contains what looks like {kind}",
                "A prompt is stored at the service and read by a model; with isShared, the "
                "organization can read it.\n"
                "Name where the credential is kept instead, and revoke it if it is real.",
            )
        },
    ),
    Code.NO_APPROVER: Entry(
        title="Nobody else can approve",
        why="A task that is not shared is visible to the user of its token only, often a bot. Its "
        "requests for approval would reach nobody.",
        fix="Set `isShared: true`, or approve with the same token (`taskctl approve`).",
        cases={
            "": Message(_APPROVER),
            "defaults": Message(f"{_APPROVER} (in {{tasks:and}})"),
        },
    ),
    Code.NO_EXECUTOR: Entry(
        title="No executor attached",
        why="With `toolExecutionMode: cli` or `worker`, tools run on a machine of yours that is "
        "attached to the task. A task created by the API has none until one attaches.",
        fix="Attach one after the create, or use `toolExecutionMode: cloud`.",
        cases={
            "": Message(_EXECUTOR),
            "defaults": Message(f"{_EXECUTOR} (in {{tasks:and}})"),
        },
    ),
}
