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
            "directory": Message(
                "no manifests: {directory:q} has no *.yaml or *.yml file",
                "Create a first one, or pass another PATH:",
                "taskctl init",
            ),
        },
    ),
}
