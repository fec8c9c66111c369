"""Codes of `taskctl import`; part of TC8xx."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_OTHER_FILE = "Name another file with --write, or print the manifest with --dry-run."

_BY_ID = "taskctl import TASK_ID --write FILE"
_WRITE_OUT = "Replace it with its value, in the program or in a manifest, and import again."

ENTRIES = {
    Code.IMPORT_TARGET: Entry(
        title="Import cannot write this manifest",
        why="The file that `--write` names cannot be a manifest, or changed during the import.",
        fix="Name another file, or run the import again.",
        cases={
            "noFile": Message("manifest: not a regular file", _OTHER_FILE),
            "suffix": Message(
                "manifest: the name must end with .yaml or .yml, and not with .data.yaml",
                _OTHER_FILE,
            ),
            "git": Message("manifest: the file is inside .git", _OTHER_FILE),
            "changed": Message(
                "changed while the import was running; it was left as it is, and nothing was "
                "recorded",
                "Run the same import again.",
            ),
        },
    ),
    Code.IMPORT_ID: Entry(
        title="Task ID that a manifest cannot contain",
        why="The service shows a task whose ID is not valid as `taskID` in a manifest.",
        fix="The task was not imported. Report it, with the version of the service.",
        cases={"": Message("task {task_id:q}: invalid as a taskID; not imported")},
    ),
    Code.IMPORT_MINE: Entry(
        title="User unknown",
        why="`--mine` compares the creator of each task with the token's user, and the service "
        "does not name the latter.",
        fix="Name the tasks by their IDs.",
        cases={
            "": Message(
                "the service does not name the token's user, so --mine cannot select any task",
                "Name the tasks by their IDs:",
                "taskctl import TASK_ID... --write FILE",
            )
        },
    ),
    Code.IMPORT_OPEN_ATTEMPT: Entry(
        title="Task may belong to an unresolved attempt",
        why="An attempt without a known outcome may have created the task. If it were recorded for "
        "another key, the attempt's key would have none, and a second one would be created.",
        fix="Run `taskctl apply`, which looks the attempt up, then import.",
        cases={
            "": Message(
                "task {task_id} may be the result of the unresolved attempt to create {ref}; "
                "nothing was imported",
                "Resolve the attempt first, then import:",
                "taskctl apply",
            )
        },
    ),
    Code.IMPORT_SENSITIVE: Entry(
        title="Sensitive prompts cannot be printed",
        why="The manifest's defaults say `sensitive: true`, so its new tasks must not be shown.",
        fix="Write them to the file instead of using `--dry-run`.",
        cases={
            "": Message(
                "the manifest's defaults say `sensitive`, so its new tasks cannot be printed",
                "Write them, and look at the file:",
                "taskctl import ... --write FILE",
            )
        },
    ),
    Code.IMPORT_MAY_EXIST: Entry(
        title="Tasks of a Pulumi program without a known ID",
        why="`pulumi up` may have started agents for these resources without recording them.",
        fix="With a token of the user who ran it, run `taskctl plan --adopt all` before applying: "
        "tasks with the same prompt are adopted.",
        cases={
            "": Message(
                "{keys:list}: no task is known",
                "`pulumi up` may have started agents. With a token of the user who ran it, look "
                "for tasks with the same prompt before applying:",
                "taskctl plan --adopt all",
            )
        },
    ),
    Code.IMPORT_LEFT_OUT: Entry(
        title="Setting not imported",
        why="The service does not show the value, or a manifest does not accept it.",
        fix="The task was imported without it. Add it to the manifest if you know it.",
        cases={
            "noMessage": Message("not shown by the service; left out"),
            "redacted": Message("contains [REDACTED] in place of a credential; left out"),
            "rejected": Message("{why}; left out"),
        },
    ),
    Code.IMPORT_SOURCE: Entry(
        title="Cannot import from this file",
        why="The file is not a Pulumi YAML program or a stack export, or a resource in it is not "
        "declared in a form that has a counterpart in a manifest.",
        fix="For a program in another language, import the output of `pulumi stack export`. If you "
        "know the ID of the task, import it by its ID.",
        cases={
            "kind": Message(
                "neither a Pulumi YAML program nor a stack export",
                "For a program in another language, use the export of its stack. If you know the "
                "ID of the task, import it:",
                _BY_ID,
            ),
            "get": Message(
                "reads an existing task, and does not declare it",
                "If you know the ID of the task, import it:",
                _BY_ID,
            ),
            "mapping": Message("must be a mapping"),
            "text": Message("must be text"),
            "input": Message("not an input of an agent task"),
        },
    ),
    Code.IMPORT_NOT_PLAIN: Entry(
        title="Value that is not written out",
        why="A manifest contains plain values. An expression, a function, a value that was unknown "
        "when the stack was saved, or a secret cannot be imported.",
        fix="Replace it with its value, in the program or in a manifest, and import again. A "
        "prompt must not contain a secret: name the place where it is kept instead.",
        cases={
            "unknown": Message("unknown when the stack was saved", _WRITE_OUT),
            "expression": Message("an expression; a manifest contains plain text", _WRITE_OUT),
            "function": Message(
                "{name:q} computes a value; a manifest contains plain text", _WRITE_OUT
            ),
            "secret": Message(
                "a secret of the stack",
                "A prompt must not contain a secret. Name the place where it is kept instead.",
            ),
            "value": Message(
                "a value that the stack stores in a form of its own",
                "A prompt must not contain a secret. Name the place where it is kept instead.",
            ),
        },
    ),
    Code.IMPORT_IGNORED: Entry(
        title="Not imported from Pulumi",
        why="Only agent tasks and their inputs have a counterpart in a manifest. Everything else "
        "stays with Pulumi.",
        fix="Nothing has to be done, unless the task depends on what was left out.",
        cases={
            "resources": Message("{names:list}: not agent tasks; not imported"),
            "section": Message("no counterpart in a manifest; not imported"),
            "option": Message("{names:list}: no counterpart in a manifest; left out"),
            "deleted": Message("{name:q} is about to be deleted; not imported"),
            "pending": Message(
                "{name:q}: the outcome of a pending {operation} is unknown",
                "An agent may be running. Look for it before you apply.",
            ),
            "same-id": Message(
                "{name:q} has the same task ID as {other:q}; not imported",
                "Pulumi's provider can record one ID for several resources. Their own tasks, if "
                "there are any, have other IDs; to import those, run:",
                "taskctl import --mine --write tasks/imported.yaml",
            ),
            "timestamp": Message("taskctl sets its own for each create; left out"),
            "secret": Message("a secret or special value of the stack; left out"),
        },
    ),
}
