"""TC85x: saved plans, and options that select tasks."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.UNEXPECTED_PLAN: Entry(
        title="Unexpected plan",
        why="With `--expect-plan`, apply does exactly what was reviewed or nothing.",
        fix="Review the new plan, and pass its digest.",
        cases={
            "": Message(
                "the plan is not the expected one; nothing was sent",
                "Expected {expected},\nbut it is {found}: manifests, options, the state or the "
                "service have changed. Review the plan:",
                "taskctl plan",
            ),
            "period": Message(
                "the plan is not the expected one; nothing was sent",
                "Expected {expected},\nbut it is {found}: manifests, options, the state or the "
                "service have changed, or the expected plan is of another period than this one "
                "({periods:list}). Review the plan:",
                "taskctl plan",
            ),
        },
    ),
    Code.INVALID_REPLACE: Entry(
        title="Invalid --replace",
        why="`--replace` starts another agent, so it must name exactly one task that exists.",
        fix="Follow the hint of the message.",
        cases={
            "twice": Message("--replace {request} is given twice", "Name the task once."),
            "cancel-alone": Message(
                "--cancel-replaced requires --replace",
                "Name the task to replace:",
                "taskctl apply --replace KEY --cancel-replaced",
            ),
            "ambiguous": Message(
                "--replace {request}: declared in {count} organizations",
                "Choose one:\n{listed}",
            ),
            "task-id": Message(
                "--replace {request}: its manifest sets taskID {task_id}",
                "A task with a taskID is never created. Remove the taskID from the manifest first.",
            ),
            "excluded": Message(
                "--replace {request}: excluded by --target or --exclude",
                "Nothing was sent. Remove one of the options.",
            ),
            "open-attempt": Message(
                "--replace {request}: the attempt to create it has no known outcome",
                "There is no task to replace yet. To resolve the attempt, run:",
                "taskctl apply",
            ),
            "not-created": Message(
                "--replace {request}: no task to replace",
                "It is not recorded; apply creates it:",
                "taskctl apply",
            ),
            "undeclared": Message(
                "--replace {request}: not in any manifest that was read",
                "A new task is created from a manifest. Pass the file or directory that has the "
                "key.",
            ),
            "similar": Message(
                "--replace {request}: no such task; nothing was sent", "Did you mean {near:or}?"
            ),
            "unknown": Message(
                "--replace {request}: no such task; nothing was sent",
                "To list the tasks, run:",
                "taskctl plan -v",
            ),
            "unresolved": Message(
                "--replace {request}: unresolved, so it is not replaced",
                "Resolve it first; the plan says how.",
            ),
            "never-had": Message(
                "--replace {request}: it has task {task_id}, and never had {old}",
                "Nothing was sent. To replace its current task, run:",
                "taskctl apply --replace {again:request}",
            ),
        },
    ),
    Code.ALREADY_REPLACED: Entry(
        title="Already replaced",
        why="A command that is repeated must not start another agent.",
        fix="Name the task to replace: `--replace KEY=TASK_ID`.",
        cases={
            "": Message(
                "--replace {request}: {task_id} already replaced {old}; not replaced again",
                "To cancel the old task: taskctl cancel {ref:key} --task {old:id}\n"
                "To replace the new one, too, run:",
                "taskctl apply --replace {again:request}",
            )
        },
    ),
    Code.UNKNOWN_TARGET: Entry(
        title="Unknown target",
        why="A pattern that selects nothing is more likely a mistake than a wish.",
        fix="Correct the key or glob.",
        cases={
            "similar": Message(
                "{flag} {pattern}: no such task; nothing was done", "Did you mean {near:or}?"
            ),
            "known": Message("{flag} {pattern}: no such task; nothing was done", "{known:list}"),
            "none": Message(
                "{flag} {pattern}: no such task; nothing was done", "There are no tasks."
            ),
        },
    ),
    Code.LIMITED_SCOPE: Entry(
        title="Limited scope",
        why="`--target` and `--exclude` leave tasks out of the plan and of its counts.",
        fix="Run without them to see all tasks.",
        cases={
            "": Message(
                "{flags} limits this run to {shown} of {count} tasks",
                "The others are not shown, counted or modified.",
            )
        },
    ),
}
