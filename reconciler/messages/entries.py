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
    Code.REMOVED_TASK: Entry(
        title="Declared and removed",
        why="`removed` takes the record of a key out of the state, so a task with that key would "
        "be created again.",
        fix="Remove the task from the manifest, or its key from `removed`. To start a new task for "
        "the same key, use `taskctl apply --replace KEY`.",
        cases={"": Message("also listed under `removed` in {file} (`{pattern}`)")},
    ),
    Code.INVALID_DATA: Entry(
        title="Invalid data",
        why="Every value becomes part of task keys and prompts as it is written, so anything that "
        "is not a plain list of texts or flat mappings is an error.",
        fix="Correct the file or the list at the line that the message names. csv needs a header "
        "and the same number of fields in each row; yaml and json files hold a list.",
        cases={
            "ending": Message("unknown kind of file; use csv, txt, yaml or json"),
            "notAList": Message("must be a list"),
            "null": Message("a value is null; write it as text"),
            "nested": Message("must be text or a flat mapping of texts"),
            "noHeader": Message("the header line is missing"),
            "noName": Message("column {column} has no name in the header"),
            "sameName": Message("the header names {name:q} twice"),
            "ragged": Message("has {found} field{found:s}, the header has {expected}"),
            "control": Message("contains the control character {code}"),
            "csv": Message("invalid csv: {problem}"),
            "json": Message("invalid JSON: {problem}"),
        },
    ),
    Code.INVALID_TEMPLATE: Entry(
        title="Invalid template",
        why="Text in double braces that is not replaced would reach the agent as it is.",
        fix="Use `{{ axis }}`, `{{ axis.field }}`, or, in an entry with `every`, "
        '`{{ period.name }}` and the like. `{{ "{{" }}` stands for two literal braces.',
        cases={
            "malformed": Message("{text:q} is not a template"),
            "unknown": Message("unknown name {text:q} in a template"),
            "unknown-similar": Message(
                "unknown name {text:q} in a template; did you mean `{near}`?"
            ),
            "mapping": Message("{text:q} is a mapping; name one of its fields"),
            "mapping-similar": Message("{text:q} is a mapping; did you mean `{near}`?"),
            "lacking": Message("a row without {text:q}, which a template names"),
            "place": Message("a template is not allowed here: {text:q}"),
            "text": Message(
                "{text:q} is text here: only tasks with `forEach` or `every` have templates"
            ),
        },
    ),
    Code.INVALID_GENERATED_KEY: Entry(
        title="Invalid generated key",
        why="The values are part of the task's key, which must be printable everywhere.",
        fix="Set `key` to a template of values that consist of letters, digits, `.`, `_`, `/` and "
        "`-` and begin with a letter or digit.",
        cases={
            "": Message(
                "{text:q} cannot be part of a key",
                "Allowed: letters, digits, `.`, `_`, `/` and `-`, first a letter or digit.",
            ),
            "missing": Message("a row without `name` has no key", "Set `key` for the entry."),
            "empty": Message("a value of the key {text:q} is empty"),
            "long": Message("the key {text:q} is longer than {limit} characters"),
        },
    ),
    Code.DUPLICATE_GENERATED_KEY: Entry(
        title="Duplicate generated key",
        why="Each key has exactly one task, so two rows with the same key would share one.",
        fix="Remove one of the rows, or add what tells them apart to `key`.",
        cases={
            "": Message("`{task}` is generated twice, first by {first}"),
            "case": Message("`{task}` differs only in case from the key that {first} generates"),
        },
    ),
    Code.TOO_MANY_TASKS: Entry(
        title="Too many tasks",
        why="Every task starts an agent. The limit stops a data file that grew by mistake.",
        fix="Raise `atMost` if all of them are meant, or exclude some.",
        cases={
            "": Message("generates {count:n} tasks; at most {limit:n} are allowed"),
            "text": Message("generates more than {limit:n} characters of text"),
        },
    ),
    Code.TOO_FEW_TASKS: Entry(
        title="Too few tasks",
        why="An entry that generates nothing is more likely a mistake than a wish.",
        fix="Correct the data or the exclusions, or lower `atLeast`.",
        cases={"": Message("generates {count:n} task{count:s}; at least {limit:n} are expected")},
    ),
    Code.INVALID_MATCHER: Entry(
        title="Invalid matcher",
        why="A matcher that names nothing excludes nothing, and the task would be created.",
        fix="Name axes of the entry and fields of their rows, with values as they are written.",
        cases={
            "form": Message("must map axes to a value or to fields"),
            "axis": Message("{name:q} is not an axis of this entry"),
            "field": Message("{name:q} is not a field of any row"),
            "idle": Message("matches nothing"),
        },
    ),
    Code.INVALID_RECURRENCE: Entry(
        title="Invalid recurrence",
        why="The period is part of each key, so it must be clear which periods there are.",
        fix='Use a time zone such as `Europe/Berlin`, and quoted dates such as `"2026-11-01"`.',
        cases={
            "timezone": Message("unknown time zone {zone:q}"),
            "date": Message('{text:q} is not a date; write it as "2026-11-01"'),
            "catchUp": Message(
                "needs a prompt that names `period` or `previous`; otherwise every period that is "
                "made up for would get the same prompt"
            ),
        },
    ),
    Code.ROLLOUT_STOPPED: Entry(
        title="Rollout stopped",
        why="As many tasks of the entry failed, were cancelled or are gone as `stopAfter` says. No "
        "further one is created.",
        fix="Look at the failed tasks. One that succeeds later no longer counts: send it a message "
        "(`taskctl say`), or create it again (`taskctl apply --replace`). Or raise `stopAfter`.",
        cases={
            "": Message(
                "the rollout of `{entry}` has stopped: {failed:list}",
                "Not created: {count:n} task{count:s}.",
            )
        },
    ),
}
