"""TC6xx: changes of the state by hand, and saved plans."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_EDIT = {
    Code.UNKNOWN_TASK: Entry(
        title="Key is not in the state",
        why="The command names a task that the state does not contain.",
        fix="List the keys with `taskctl state list`.",
        cases={
            "": Message("{name} is not in the state", "Nothing was changed.", "taskctl state list"),
            "near": Message(
                "{name} is not in the state",
                "Nothing was changed. Did you mean {near:or}?",
                "taskctl state list",
            ),
            "retired": Message(
                "{name} is not in the state any more",
                "Its task can still be named by its ID:",
                "taskctl show {id:id}",
            ),
            "ambiguous": Message(
                "{name} is the key of {count} tasks in different organizations",
                "Specify one of {refs:or}.",
            ),
        },
    ),
    Code.STATE_EDIT: Entry(
        title="State cannot be changed like this",
        why="The change would let two keys share a task, or lose track of one that may exist.",
        fix="Follow the command in the message.",
        cases={
            "key": Message(
                "invalid task key {name:q}",
                "A key starts with a lowercase letter or a digit, followed by up to 127 lowercase"
                " letters, digits, '.', '_' or '-'.",
            ),
            "same": Message("{ref} already has that key", "Choose a different one."),
            "taken": Message(
                "{ref} already exists",
                "A key has one task. Show it, and remove it first if it is obsolete:",
                "taskctl state show {ref:key}",
            ),
            "unresolved": Message(
                "{ref} has an attempt whose outcome is unknown",
                "Removing it could create a second task. First say what came of it:\n"
                "  taskctl state resolve {ref:key} --task-id ID",
                "taskctl state resolve {ref:key} --not-created",
            ),
            "organization": Message(
                "{ref} has an attempt whose outcome is unknown, so it cannot move to another"
                " organization",
                "Its task may exist in its present organization. First say what came of it:\n"
                "  taskctl state resolve {ref:key} --task-id ID",
                "taskctl state resolve {ref:key} --not-created",
            ),
            "resolved": Message(
                "{ref} has no unresolved attempt",
                "It is already recorded:",
                "taskctl state show {ref:key}",
            ),
            "former": Message(
                "task {task} is a former task of {ref}",
                "A newer task replaced it. See which:",
                "taskctl show {ref:key}",
            ),
            "recorded": Message(
                "task {task} is recorded for {holder}",
                "A task has one key. If it was created for {ref}, remove the other entry first:",
                "taskctl state rm {holder:key}",
            ),
        },
    ),
}

_AGAIN = "taskctl plan --out FILE"


def _stale(change: str) -> Message:
    return Message(
        f"the saved plan is stale: {change}; nothing was sent", "Create a new one:", _AGAIN
    )


_PLANS = {
    Code.NOT_A_SAVED_PLAN: Entry(
        title="Not a saved plan",
        why="The file starts like a saved plan but is something else.",
        fix="Create a saved plan with `taskctl plan --out FILE`.",
        cases={
            "": Message("not a saved plan: {reason}", "Create one:", _AGAIN),
            "state": Message("not a saved plan but a state file", "Create one:", _AGAIN),
            "manifest": Message("not a saved plan but a manifest", "Create one:", _AGAIN),
            "document": Message(
                "not a saved plan but a document of --format json, which apply and show do not"
                " accept",
                "Create a saved plan:",
                _AGAIN,
            ),
        },
    ),
    Code.SAVED_PLAN_DAMAGED: Entry(
        title="Saved plan is damaged",
        why="The file was truncated or changed after it was written.",
        fix="Create it again with `taskctl plan --out FILE`.",
        cases={
            "": Message("the saved plan is damaged: {reason}", "Create a new one:", _AGAIN),
            "empty": Message("the plan file is empty", "Create a new one:", _AGAIN),
            "truncated": Message("the plan file is truncated", "Create a new one:", _AGAIN),
            "json": Message("the plan file is not JSON: {reason}", "Create a new one:", _AGAIN),
            "digest": Message(
                "the saved plan was changed after it was written", "Create a new one:", _AGAIN
            ),
        },
    ),
    Code.SAVED_PLAN_NEWER: Entry(
        title="Saved plan of a newer taskctl",
        why="A newer format may contain instructions that this version does not know.",
        fix="Apply it with the version that wrote it, or create it again with this one.",
        cases={
            "": Message(
                "the saved plan has format {format}; this version reads {known}",
                "It was written by taskctl {by}. Use that version, or create a new plan:",
                _AGAIN,
            )
        },
    ),
    Code.SAVED_PLAN_STALE: Entry(
        title="Saved plan is stale",
        why="Something that the plan was made from is different now, so applying it could do"
        " something else than what was reviewed.",
        fix="Create a new plan, review it, and apply that.",
        cases={
            "manifest": _stale("the manifests have changed"),
            "state": _stale("the state has changed (serial {now}, was {then})"),
            "backend": _stale("the backend is {now}, was {then}"),
            "identity": _stale("the identity is {now}, was {then}"),
            "period": _stale("`{entry}` is due for {now}, not for {then}"),
            "scope": _stale("the manifests are read from {now}, was {then}"),
            "options": _stale("different {flags:and}"),
            "option": Message(
                "the saved plan was made with a different {flag}; nothing was sent",
                "Omit {flag}, because the plan file contains its options. Or create a new plan:",
                _AGAIN,
            ),
        },
    ),
}

COMMANDS = {**_EDIT, **_PLANS}
