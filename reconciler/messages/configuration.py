"""Codes of the configuration file; part of TC8xx."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

ENTRIES = {
    Code.INVALID_CONFIG: Entry(
        title="Invalid configuration file",
        why="`taskctl.toml`, or `[tool.taskctl]` in `pyproject.toml`, is not valid TOML, has an "
        "unknown key, or a value that its key does not accept.",
        fix="Correct the line that the message names. The page on the configuration file lists "
        "all keys and their values.",
        cases={
            "unreadable": Message("cannot be read: {why}"),
            "encoding": Message("not valid UTF-8"),
            "toml": Message("invalid TOML: {why}"),
            "table": Message("tool.taskctl: must be a table"),
            "near": Message("{setting}: unknown key; did you mean {near}?"),
            "unknown": Message("{setting}: unknown key", "The keys are {known:and}."),
            "path": Message("{setting}: must be a path"),
            "paths": Message(
                "{setting}: must be a list of files and directories",
                'For example: paths = ["tasks", "infra/tasks"]',
            ),
            "outside": Message(
                "{setting}: {value:q} is outside the repository ({top})",
                "A file of the repository cannot make taskctl read or write anywhere else.",
            ),
            "address": Message(
                "{setting}: a file of the repository can name only a git remote of the clone",
                "Anything else could send prompts elsewhere. Pass the address with --state or"
                " TASKCTL_STATE.",
            ),
            "number": Message("{setting}: must be an integer of at least {least}"),
            "duration": Message(
                "{setting}: must be a duration in quotes", 'For example: "90s", "2m30s" or "7d"'
            ),
            "choice": Message("{setting}: must be one of {choices:list}"),
        },
    ),
    Code.FORBIDDEN_SETTING: Entry(
        title="Setting not allowed in a file of the repository",
        why="Anyone who can change the repository could send your token to another host, read it, "
        "or move all tasks to another organization.",
        fix="Set it in the environment instead. An organization can be named in each manifest, as "
        "`orgName`.",
        cases={
            "backend": Message(
                "{setting}: cannot be set in a file of the repository",
                "Anyone who can change the repository could send your token anywhere. "
                "Set it yourself:",
                "export TASKCTL_BACKEND=URL",
            ),
            "token": Message(
                "{setting}: cannot be set in a file of the repository",
                "Anyone with a clone could read it. Set it yourself:",
                "export PULUMI_ACCESS_TOKEN=...",
            ),
            "org": Message(
                "{setting}: cannot be set in a file of the repository",
                "Anyone who can change the repository could move all tasks to another "
                "organization. Set `orgName` in each manifest, or set it yourself:",
                "export TASKCTL_ORG=NAME",
            ),
        },
    ),
}
