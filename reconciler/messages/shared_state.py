"""TC619 to TC639: states in an engine, which runs on several machines share."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_PLACE = {
    Code.STATE_NOT_INITIALIZED: Entry(
        title="No state at this address",
        why="A shared state is created on purpose: with a mistyped name, taskctl would otherwise"
        " start with an empty state and create every task again.",
        fix="Check the address. If the state is new, create it once with `taskctl state init`.",
        cases={
            "": Message(
                "there is no state at {file}",
                "Check the address. If this state is new, create it once:",
                "taskctl state init {file:file}",
            )
        },
    ),
    Code.STATE_ADDRESS: Entry(
        title="Address of a state cannot be used",
        why="The address is not of a known kind, is incomplete, or contains a password, which"
        " would end up in logs and process lists.",
        fix="Use `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://ACCOUNT/CONTAINER/PREFIX`,"
        " `postgresql://HOST/DATABASE?state=NAME`, `git:REMOTE` or `git:REMOTE#NAME`. Pass"
        " credentials as each service's own tools expect them (`AWS_*`, `PGPASSWORD`, ...).",
        cases={
            "": Message(
                "{file} cannot be used as a state: {reason}",
                "Use s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX,"
                " postgresql://HOST/DATABASE?state=NAME, git:REMOTE or git:REMOTE#NAME.",
            ),
            "password": Message(
                "the address of the state contains a password",
                "It would end up in logs and process lists. Pass credentials as the service's own"
                " tools expect them, for example in PGPASSWORD, .pgpass or AWS_SECRET_ACCESS_KEY.",
            ),
            "local": Message(
                "{file} is a file, and this command is for shared states",
                "The lock of a file ends with its process, and the first apply creates the file."
                " Name an address such as git:origin with --state.",
            ),
        },
    ),
    Code.STATE_EXTRA_MISSING: Entry(
        title="Support for this kind of state is not installed",
        why="The clients of object storage and PostgreSQL are optional.",
        fix="Install taskctl with the extra that the message names.",
        cases={
            "": Message(
                "{file} needs {reason}, which is not installed",
                "Install taskctl with this extra the way it was installed before.",
            ),
            "program": Message(
                "{file} needs {reason}, which is not installed",
                "Install {reason}, and make sure that it is on PATH.",
            ),
        },
    ),
    Code.STATE_ACCESS_DENIED: Entry(
        title="No access to the state",
        why="The service refused the credentials, or they do not permit the request.",
        fix="Check the credentials with the service's own tools (`aws`, `gcloud`, `az`, `psql`,"
        " `git`), in the same environment. A plan needs to read; all other commands write.",
        cases={
            "": Message(
                "the credentials for {file} were refused: {reason}",
                "taskctl uses the credentials of the environment, as the service's own tools do."
                " Check them there.",
            ),
            "permission": Message(
                "the credentials for {file} do not permit this: {reason}",
                "A plan needs to read the state; all other commands also write and delete.",
            ),
        },
    ),
    Code.STATE_CONTAINER_MISSING: Entry(
        title="Bucket, database or repository not found",
        why="taskctl never creates a bucket, a database or a repository: its name may be mistyped.",
        fix="Check the address, or create the bucket, database or repository.",
        cases={
            "": Message(
                "the place of {file} does not exist: {reason}",
                "Check the address. taskctl never creates a bucket, a database or a repository.",
            )
        },
    ),
    Code.STATE_REJECTED: Entry(
        title="State rejected by the service",
        why="The service accepted the credentials but refuses to store the state, for example"
        " because a rule protects the ref.",
        fix="For `git:`, exempt the ref from rules and hooks, or choose another one, such as"
        " `git:origin#refs/heads/taskctl-state`.",
        cases={
            "": Message(
                "{file} was rejected: {reason}",
                "A rule or hook of the host refuses it. Exempt the ref, or choose another one, for"
                " example `git:origin#refs/heads/taskctl-state`.",
            )
        },
    ),
    Code.STATE_UNCONDITIONAL: Entry(
        title="The service ignores conditions",
        why="A write that was to succeed only if nobody else had written was accepted anyway. On"
        " such a service, two runs would overwrite each other and create tasks twice.",
        fix="Use a service that implements conditional writes (`If-Match`, `If-None-Match`), or"
        " a newer version of this one.",
        cases={
            "": Message(
                "{file} cannot hold a state: its service ignores conditions on writes",
                "Two runs would overwrite each other and create tasks twice. Use a service that"
                " implements conditional writes.",
            )
        },
    ),
    Code.STATE_UNREACHABLE: Entry(
        title="State cannot be reached",
        why="The service did not answer, or with an error that may pass. A state that cannot be"
        " read never counts as empty.",
        fix="Check the network and the service, then run the same command again.",
        cases={
            "": Message(
                "{file} cannot be reached: {reason}",
                "Nothing was sent. Check the network and the service, then run the same command"
                " again.",
            )
        },
    ),
    Code.STATE_PART_DAMAGED: Entry(
        title="Shared state is damaged",
        why="What is stored is not what taskctl wrote: it was overwritten, cut off or deleted by"
        " something else. It is left untouched.",
        fix="Restore the version before the damage: an older version of the object, a backup of the"
        " database, an older commit of the ref.",
        cases={
            "": Message(
                "{part} of {file} is damaged: {reason}",
                "It was left untouched, because an unreadable state never counts as an empty one."
                " Restore the version before the damage: an older version of the object, a backup"
                " of the database, or an older commit of the ref.",
            )
        },
    ),
}

_LOCK = {
    Code.STATE_FENCED: Entry(
        title="Lock taken by another run",
        why="Another run took the lock of the shared state, because this one gave no sign of life"
        " for too long or its lock was released with `state unlock`. It sends nothing more.",
        fix="Let the other run finish, then run apply again: it looks up what this run sent.",
        cases={
            "": Message(
                "another run took the lock of {file}; nothing more was sent",
                "What this run sent before is in the state, and the other run looks it up. Let it"
                " finish, then run apply again:",
                "taskctl apply",
            )
        },
    ),
    Code.STATE_WRITE_UNKNOWN: Entry(
        title="Outcome of a write to the state is unknown",
        why="The service did not say whether the last write was done, and cannot be asked. Each"
        " attempt must be durable before its request is sent, so nothing more is sent.",
        fix="Check the network and the service, then run the same command again. It continues from"
        " what was written, once the lock of this run has expired.",
        cases={
            "": Message(
                "cannot find out whether the last write to {file} was done: {reason}",
                "Nothing more was sent. Check the network and the service, then run the same"
                " command again; it continues from there.",
            )
        },
    ),
    Code.STATE_BEAT_OVERDUE: Entry(
        title="Lock not confirmed in time",
        why="The lock of a shared state has to be confirmed every few seconds. After a long pause,"
        " for example of a machine that slept, another run may have taken it.",
        fix="Run apply again: it looks up what this run sent.",
        cases={
            "": Message(
                "the lock of {file} was not confirmed for {seconds} s; nothing was sent",
                "This machine was asleep or overloaded, or the service did not answer, so another"
                " run may have taken the lock. Run apply again:",
                "taskctl apply",
            )
        },
    ),
    Code.STATE_UNLOCK: Entry(
        title="Lock changed hands",
        why="The lock is not the one that `state unlock` was to release.",
        fix="Look at who holds it now, and pass that epoch if its lock is to be released.",
        cases={
            "": Message(
                "the lock of {file} has epoch {now} now, not {epoch}",
                "It is held by {holder}. Nothing was changed.",
            )
        },
    ),
}

SHARED = {**_PLACE, **_LOCK}
