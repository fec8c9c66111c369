"""TC8xx: usage and configuration."""

from __future__ import annotations

from reconciler.messages.configuration import ENTRIES as CONFIG_ENTRIES
from reconciler.messages.doctor import ENTRIES as DOCTOR_ENTRIES
from reconciler.messages.entry import Entry, Message
from reconciler.messages.importing import ENTRIES as IMPORT_ENTRIES
from reconciler.messages.plan_files import ENTRIES as PLAN_FILE_ENTRIES
from reconciler.messages.responses import ENTRIES as RESPONSE_ENTRIES
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
    Code.INVALID_TIME: Entry(
        title="Invalid time",
        why="A point in time is either a duration back from now, or a date with or without a time.",
        fix="Write a duration such as `10m` or `30d`, a date such as `2026-11-24`, or a time such "
        "as `2026-11-24T14:44:49Z`.",
        cases={
            "": Message(
                "invalid time {text:q}",
                "Use a duration such as 10m or 30d, or a date such as 2026-11-24 or "
                "2026-11-24T14:44:49Z.",
            )
        },
    ),
    Code.USAGE: Entry(
        title="Incorrect usage",
        why="The command line has an unknown command or option, a wrong or missing value, or "
        "options that cannot be combined. Nothing was done.",
        fix="The message names the option. `taskctl COMMAND --help` shows all of them, with "
        "examples.",
        cases={
            "": Message("{what}", "", "{command:cmd}"),
            "savedPlanAlone": Message(
                "{file} is a saved plan and cannot be combined with other arguments",
                "A saved plan already contains its paths and options. To apply it, run:",
                "taskctl apply {file:file}",
            ),
            "followOne": Message(
                "--follow is for one task, and {count} match", "Specify a single KEY."
            ),
            "logsOfOne": Message(
                "--format json is for one task, and {count} match", "Specify a single KEY."
            ),
            "formatOfTask": Message(
                "a task can be shown as text or json; the other formats are for plans"
            ),
        },
    ),
    Code.CONFIRMATION_REQUIRED: Entry(
        title="Confirmation required",
        why="The command asks before it changes anything, and there is no terminal to ask on. "
        "Nothing was sent.",
        fix="Run it again with `--yes` after reviewing what it would do.",
        cases={
            "": Message(
                "cannot prompt for confirmation without a terminal; nothing was sent",
                "To confirm beforehand, run:",
                "{command:cmd}",
            ),
            "apply": Message(
                "cannot prompt for confirmation without a terminal; nothing was created",
                "Review the plan, then rerun with --yes:",
                "taskctl apply --yes",
            ),
        },
    ),
    Code.DECLINED: Entry(
        title="Declined at the prompt",
        why="The answer to the question was not `yes`.",
        fix="Nothing was created. Run the command again and answer `yes`.",
        cases={"": Message("declined at the prompt; nothing was created")},
    ),
    Code.INTERRUPTED: Entry(
        title="Interrupted",
        why="A signal or the end of the input ended the command.",
        fix="Run the command again. Attempts that were in flight are in the journal, and the next "
        "apply looks them up.",
        cases={
            "": Message("interrupted"),
            "terminated": Message("terminated"),
            "noAnswer": Message("no answer at the prompt; nothing was done"),
            "secondSignal": Message(
                "stopped by a second signal; in-flight attempts remain open in the journal",
                "Their tasks may exist. To look them up and continue, run:",
                "taskctl apply",
            ),
            "waiting": Message("stopped waiting; the tasks keep running"),
        },
    ),
    Code.CANNOT_WRITE: Entry(
        title="File cannot be written",
        why="The system does not let you write the file, or it is in use for something else.",
        fix="Choose another place, or check the permissions and the free space.",
        cases={
            "plan": Message(
                "cannot write the plan file: {why}",
                "The plan is valid, but was not saved. Choose another file:",
                "taskctl plan -o FILE",
            ),
            "report": Message(
                "cannot write the {format} report: {why}",
                "Everything else was done. Choose another file: --report {format}=FILE",
            ),
            "reportOverState": Message(
                "the {format} report would replace a state or its journal",
                "The file was left as it is; everything else was done. Choose another file: "
                "--report {format}=FILE",
            ),
            "manifest": Message("manifest: cannot be written: {why}; it was left as it was"),
            "import": Message(
                "manifest: cannot be written: {why}",
                "It was left as it was, and nothing was recorded. Choose another file: "
                "--write tasks/imported.yaml",
            ),
            "init": Message(
                "cannot be written: {why}",
                "Files that were already written remain. Fix this, then run again:",
                "taskctl init",
            ),
        },
    ),
    Code.OS_ERROR: Entry(
        title="System error",
        why="The operating system refused an operation.",
        fix="The message names the file, if there is one. Check permissions and free space.",
        cases={"": Message("{why}")},
    ),
    Code.INTERNAL_ERROR: Entry(
        title="Internal error",
        why="taskctl has a bug.",
        fix="Run the command again with `-v` and report what it prints.",
        cases={
            "": Message("internal error ({what}): run again with -v and report what it prints"),
            "verbose": Message("internal error ({what}): please report it"),
        },
    ),
    Code.NO_ORGANIZATION: Entry(
        title="No organization",
        why="A task needs an organization. Neither its manifest, an option, the environment, "
        "Pulumi's configuration nor the service names one.",
        fix="Set `orgName` at the top of the manifest, or pass `--org NAME`. With `-v`, taskctl "
        "shows where it looked.",
        cases={
            "": Message(
                "no organization: the manifests name none, and no default is set",
                "Set `orgName` at the top of a manifest, or name one (-v shows where taskctl "
                "looked):",
                "taskctl plan --org NAME",
            )
        },
    ),
    Code.NOT_DECLARED: Entry(
        title="Task in no manifest",
        why="The command needs the manifest entry of the key, and no manifest that was read has "
        "one.",
        fix="Name the manifest that contains the key, or remove the record.",
        cases={
            "": Message(
                "{ref} is in no manifest",
                "Name the manifest that contains it, or remove the record with "
                "`taskctl state rm {ref:key}`:",
                "taskctl state accept {task_key:key} PATH",
            )
        },
    ),
    Code.FAIL_ON: Entry(
        title="Tasks that --fail-on names",
        why="The plan has tasks in a state that `--fail-on` turns into a failure. Apply still does "
        "everything else.",
        fix="Resolve them as the plan says, or run without `--fail-on`.",
        cases={"": Message("--fail-on {kind}: {keys:list}")},
    ),
    Code.PLAN_EXCEEDED: Entry(
        title="Saved plan is stale",
        why="Something changed at the service since the plan was saved: applying it now would do "
        "more than was reviewed. Nothing was sent.",
        fix="Create and review a new plan.",
        cases={
            deed: Message(
                f"the saved plan is stale: it would not {words} {{keys:list}}",
                "The service has changed since it was saved; nothing was sent. Create a new one:",
                "taskctl plan -o FILE",
            )
            for deed, words in (
                ("create", "create"),
                ("change", "change"),
                ("cancel", "cancel the task of"),
            )
        },
    ),
    Code.LOCAL_DATABASE: Entry(
        title="Database of the embedded service",
        why="`--backend local` and `taskctl serve` store tasks in an SQLite file. Any other file is"
        " never modified.",
        fix="Use another file (`--db PATH`, `--backend local:PATH`), or move this one away; then"
        " a new one is created.",
        cases={
            "unusable": Message(
                "{path} is not a usable database: {problem}",
                "The file was not modified. Use another file, or move this one away.",
            ),
            "inaccessible": Message(
                "cannot open the database {path}: {problem}",
                "It must be a file, in a directory, that you can read and write.",
            ),
            "foreign": Message(
                "{path} is a database of another program",
                "The file was not modified. Use another file.",
            ),
            "newer": Message(
                "{path} was written by a newer taskctl (format {found}; supported: {supported})",
                "The file was not modified. Use that version, or another file.",
            ),
            "older": Message(
                "{path} was written by an older taskctl (format {found}; supported: {supported})",
                "The file was not modified. Use another file, or move this one away.",
            ),
        },
    ),
    Code.LISTEN_ADDRESS: Entry(
        title="Cannot listen",
        why="Another program may use the port, or the address may not belong to this machine.",
        fix="Use another port. `taskctl serve --port 0` selects a free one.",
        cases={
            "": Message(
                "cannot listen on {host} port {port}: {problem}",
                "Another program may use it. To select a free port, run:",
                "taskctl serve --port 0",
            )
        },
    ),
    Code.OPEN_SERVER: Entry(
        title="Server reachable from other machines",
        why="Without `--token`, every token is valid: anyone who can reach the address can create"
        " tasks.",
        fix="Add `--token T`, or listen on a loopback address (the default).",
        cases={
            "": Message(
                "listening on {host} without --token: other machines can use this service",
                "Add --token T, or listen on 127.0.0.1.",
            )
        },
    ),
    Code.MORE_PROBLEMS: Entry(
        title="More problems",
        why="After 100 problems with the same code in one file, the rest is counted.",
        fix="Correct the first ones, or use `--all-problems` to see all.",
        cases={
            "": Message("{count:n} more with code {code}; --all-problems shows them"),
        },
    ),
    Code.UNKNOWN_CODE: Entry(
        title="Unknown code",
        why="`taskctl explain` knows the codes of this version only.",
        fix="`taskctl explain` lists all codes.",
        cases={
            "": Message("unknown code {given:q}", "To list all codes, run:", "taskctl explain"),
            "similar": Message(
                "unknown code {given:q}; did you mean {near}?",
                "To list all codes, run:",
                "taskctl explain",
            ),
        },
    ),
    Code.NO_MANIFESTS: Entry(
        title="No manifests",
        why="Without manifests, every recorded task would look removed. So this is an error.",
        fix="Create a first manifest with `taskctl init`, or pass a PATH.",
        cases={
            "": Message(
                "no manifests: there are none in tasks/, and no *.tasks.yaml here",
                "Create a first one, or pass a PATH:",
                "taskctl init",
            ),
            "inside": Message(
                "no manifests: there is no tasks/ directory in this tasks/ directory",
                "Manifests are looked for in tasks/ below the working directory. Run this from the "
                "directory above, or pass -C:",
                "taskctl plan -C ..",
            ),
            "directory": Message(
                "no manifests: {directory:q} has no *.yaml or *.yml file",
                "Create a first one, or pass another PATH:",
                "taskctl init",
            ),
            "data": Message(
                "no manifests: this file is data for the tasks of an entry",
                "Files named *.data.yaml or *.data.yml are read where a manifest names them. Pass "
                "that manifest, or the directory.",
            ),
        },
    ),
    **CONFIG_ENTRIES,
    **DOCTOR_ENTRIES,
    **PLAN_FILE_ENTRIES,
    **RESPONSE_ENTRIES,
    **IMPORT_ENTRIES,
}
