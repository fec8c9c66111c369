"""TC6xx: state, journal and lock; with `state_commands`, also edits and saved plans."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.messages.shared_state import SHARED
from reconciler.messages.state_commands import COMMANDS
from reconciler.messages.state_keys import KEYS
from reconciler.model.codes import Code

_RESTORE = (
    "The file was left untouched, because an unreadable state never counts as an empty one."
    " Restore the last good version, which is next to it:\n  cp {backup:file} {file:file}\n"
)
_FETCH = (
    "The file was left untouched, because an unreadable state never counts as an empty one."
    " Restore a good version from version control or a backup.\n"
)
_ASIDE = (
    "Or move it aside; taskctl then searches the whole organization for existing tasks before it"
    " creates any:\n  mv {file:file} {aside:file}\n  taskctl plan --adopt all"
)


def _with_recovery(summaries: dict[str, str]) -> dict[str, Message]:
    """Two cases for each damage: with a backup next to the file, and (`.lost`) without."""
    return {
        name + suffix: Message(summary, hint + _ASIDE)
        for name, summary in summaries.items()
        for suffix, hint in (("", _RESTORE), (".lost", _FETCH))
    }


_FILES = {
    Code.STATE_UNREADABLE: Entry(
        title="State cannot be read",
        why="The state or its journal exists but cannot be read. Treating it as missing could"
        " create tasks twice.",
        fix="Check the path, the file's type and its permissions. Only regular files of at most"
        " 2 GiB are read.",
        cases={
            "": Message(
                "{file} cannot be read: {reason}",
                "It was left untouched, because an unreadable file never counts as missing. Check"
                " its type and permissions:",
                "ls -l {file:file}",
            ),
            "folder": Message(
                "{file} is a directory; the state must be a file",
                "Name a file in it:",
                "taskctl plan --state {inside:file}",
            ),
            "special": Message(
                "{file} is not a regular file",
                "Devices, pipes and sockets are never read. Name another file with --state.",
            ),
            "large": Message(
                "{file} is larger than {limit}",
                "A file of that size is not a state. Name another file with --state.",
            ),
        },
    ),
    Code.STATE_DAMAGED: Entry(
        title="State is damaged",
        why="The file is not a state as taskctl writes it: it was truncated, overwritten or edited"
        " incorrectly.",
        fix="Restore the `.backup` next to it or an earlier commit. If neither exists, move the"
        " file aside and run `taskctl plan --adopt all`.",
        cases=_with_recovery(
            {
                "empty": "the state file is empty",
                "zeros": "the state file contains only zeros, as after a power failure",
                "utf8": "the state file is not UTF-8",
                "truncated": "the state file is truncated",
                "json": "the state file is not valid JSON: {reason}",
                "duplicate": "duplicate key {name:q} in the state file",
                "shape": "the state file is invalid: {path}: {reason}",
                "mark": "no further attempt can be recorded: lastMark is the end of the calendar",
            }
        ),
    ),
    Code.STATE_MERGE: Entry(
        title="Unresolved merge conflict in the state",
        why="Two branches changed the state, and the file still contains conflict markers.",
        fix="Keep the `tasks` and `attempts` of both sides (each key once), the higher `serial` and"
        " the later `lastMark`, and delete the `checksum` line. Then run `taskctl plan`.",
        cases={
            "": Message(
                "the state file contains an unresolved merge conflict",
                "Keep the `tasks` and `attempts` of both sides (each key once), the higher `serial`"
                " and the later `lastMark`, and delete the `checksum` line. Review the result:",
                "taskctl plan",
            )
        },
    ),
    Code.STATE_EDITED: Entry(
        title="State checksum does not match",
        why="The content is not what taskctl wrote. A single wrong character in a key would make a"
        " task look missing, and apply would create it again.",
        fix="If the file was damaged, restore it. If you merged or edited it on purpose, delete the"
        " line `checksum`: such a file is checked strictly and gets a new checksum with the"
        " next apply.",
        cases={
            "": Message(
                "the state file was changed after taskctl wrote it: its checksum does not match",
                "If it was damaged, restore it from {backup} or version control. If you edited or"
                " merged it on purpose, delete the line `checksum` and review the result:",
                "taskctl plan",
            )
        },
    ),
    Code.STATE_NEWER: Entry(
        title="State written by a newer taskctl",
        why="A newer format may contain facts that this version would drop.",
        fix="Upgrade taskctl the way it was installed, or use the version that wrote the file.",
        cases={
            "": Message(
                "{file} was written by a newer taskctl (format {format}; this version reads up to"
                " {known})",
                "Upgrade taskctl the way it was installed: script/install of a newer checkout, or"
                " the version that an action, a hook or a requirements file names.",
            )
        },
    ),
    Code.STATE_BACKEND: Entry(
        title="State of another backend",
        why="The recorded tasks do not exist at this backend, so all of them would be created"
        " again.",
        fix="Use the backend that the state belongs to, or a separate state file (`--state`) for"
        " this one.",
        cases={
            "": Message(
                "{file} belongs to the backend {found:q}, but this run uses {backend:q}",
                "Its tasks do not exist here, so all of them would be created again. Select the"
                " right backend, or use a separate state for this one:",
                "taskctl plan --state NAME.state.json",
            )
        },
    ),
    Code.STATE_PLACE: Entry(
        title="State in a place where it cannot be replaced safely",
        why="The state is replaced as a whole, with its lock and journal next to it. A mounted file"
        " has another lock on each side of the mount.",
        fix="Name the real file with `--state` or `TASKCTL_STATE`; mount its directory, not the"
        " file.",
        cases={
            "circle": Message(
                "{file} cannot be resolved: {reason}",
                "Its links form a circle or lead to a place that cannot be read. Name the file with"
                " --state.",
            ),
            "mount": Message(
                "{file} is a mount point",
                "A mounted file cannot be replaced, and the lock next to it does not exclude runs"
                " on the other side of the mount. Mount the directory that contains it instead.",
            ),
            "directory": Message(
                "the directory of {file} cannot be created: {reason}",
                "The state needs a writable directory. Name another file:",
                "taskctl apply --state PATH",
            ),
        },
    ),
    Code.STATE_SHARED_FILE: Entry(
        title="State has a second name",
        why="Saving replaces the file, so the other name keeps the old content, and runs that use"
        " the other name do not see this run's journal.",
        fix="Use one name for the state, and remove the other hard link.",
        cases={
            "": Message(
                "{file} has {count} names (hard links)",
                "Saving replaces only this one; the others keep the old content. Use one name.",
            )
        },
    ),
    Code.STATE_CHANGED: Entry(
        title="State changed during a run",
        why="Another program wrote the file without taking the lock, for example a `git checkout`.",
        fix="Restore the version of the state that the run started on, then run `taskctl apply`,"
        " which saves the results that are in the journal.",
        cases={
            "": Message(
                "{file} was changed by another program while this run held its lock",
                "It was left as it is now, and the results of this run are in {journal}. They"
                " belong to serial {serial} of the state: restore that version, then save them:",
                "taskctl apply",
            ),
            "busy": Message(
                "{file} changes faster than it can be read",
                "Another program keeps writing it. Try again later.",
            ),
        },
    ),
    Code.STATE_NOT_SAVED: Entry(
        title="State cannot be saved",
        why="The results are in the journal, but the state file could not be replaced.",
        fix="Free disk space or fix the permissions, then run apply again, which saves it.",
        cases={
            "": Message(
                "{file} cannot be saved: {reason}",
                "Nothing is lost: the state file is intact, and its journal contains the rest. Keep"
                " the two together, free disk space or fix the permissions, then save:",
                "taskctl apply",
            )
        },
    ),
}

_JOURNAL = {
    Code.JOURNAL_DAMAGED: Entry(
        title="Journal is damaged",
        why="The journal contains what an earlier run did and could not save. A damaged line may"
        " hide a task that was created.",
        fix="Restore the journal from a copy. Otherwise move it aside, wait for the settle time,"
        " and run `taskctl plan --adopt all`.",
        cases={
            "": Message(
                "line {line} of the journal is damaged: {reason}",
                "It contains what an earlier run did and could not save. Restore it from a copy,"
                " or move it aside, wait until the settle time has passed since that run, and let"
                " taskctl find what it created:\n  mv {file:file} {aside:file}\n"
                "  taskctl plan --adopt all",
            )
        },
    ),
    Code.JOURNAL_MISMATCH: Entry(
        title="Journal and state do not belong together",
        why="One of the two files was copied here or restored from a backup. Folding a journal into"
        " another state would record wrong tasks.",
        fix="Restore the matching file. Otherwise move the journal aside, wait for the settle time,"
        " and run `taskctl plan --adopt all`.",
        cases={
            "lineage": Message(
                "the journal {file} belongs to a different state",
                "The state's lineage is {state}, the journal's {journal}: one of the two files was"
                " copied here. Restore the right state, or move the journal aside and let taskctl"
                " find what it contained:\n  mv {file:file} {aside:file}\n"
                "  taskctl plan --adopt all",
            ),
            "serial": Message(
                "the journal {file} was started on serial {journal} of the state, which is now at"
                " serial {state}",
                "One of the two files was restored or copied. Restore the matching one, or move the"
                " journal aside and let taskctl find what it contained:\n"
                "  mv {file:file} {aside:file}\n  taskctl plan --adopt all",
            ),
        },
    ),
    Code.JOURNAL_NOT_WRITTEN: Entry(
        title="Journal cannot be written",
        why="Each attempt must be durable before its request is sent, so nothing more is sent.",
        fix="Free disk space or fix the permissions, then run the same command again.",
        cases={
            "": Message(
                "the journal cannot be written: {reason}",
                "Nothing is sent without it, and its earlier content is safe. Free disk space or"
                " fix the permissions, then run the same command again; it continues from there.",
            ),
            "released": Message("the state was already released", "Nothing is sent without it."),
        },
    ),
}

_SHARED = (
    "Two runs on one state would create tasks twice, so they exclude each other. The lock of a run"
    " that died expires by itself. If this one must be stopped, release its lock with"
    " `taskctl state unlock {epoch}`; it then sends nothing more. "
)

_LOCK = {
    Code.STATE_LOCKED: Entry(
        title="State is locked",
        why="Two runs that change one state would create tasks twice, so they exclude each other.",
        fix="Wait for the other run, for example with `--lock-timeout 10m`. The lock ends with the"
        " process that holds it; never delete the file.",
        cases={
            "": Message(
                "the state is locked by {holder}",
                "Two runs on one state would create tasks twice, so they exclude each other. The"
                " lock ends with its process; no file has to be removed. To wait for it:",
                "taskctl apply --lock-timeout 10m",
            ),
            "waited": Message(
                "the state is still locked by {holder} after {seconds} s",
                "Two runs on one state would create tasks twice, so they exclude each other. The"
                " lock ends with its process; no file has to be removed. To wait longer:",
                "taskctl apply --lock-timeout 10m",
            ),
            "shared": Message(
                "{file} is locked by {holder}",
                _SHARED + "To wait for it:",
                "taskctl apply --lock-timeout 10m",
            ),
            "shared.waited": Message(
                "{file} is still locked by {holder} after {seconds} s",
                _SHARED + "To wait longer:",
                "taskctl apply --lock-timeout 10m",
            ),
        },
    ),
    Code.LOCK_UNAVAILABLE: Entry(
        title="State cannot be locked",
        why="Without a lock, two runs could create the same tasks.",
        fix="Keep the state in a writable directory, on a file system that supports locks.",
        cases={
            "": Message(
                "the state cannot be locked: {reason}",
                "{lock} must be writable, on a file system that supports locks. A plan needs no"
                " lock:",
                "taskctl plan",
            )
        },
    ),
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

ENTRIES = {**_FILES, **_JOURNAL, **_LOCK, **SHARED, **KEYS, **COMMANDS}
