"""TC716 to TC720: backend, access token, organization."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_FILE = (
    "The file belongs to Pulumi. `pulumi login` writes a new one; or set PULUMI_ACCESS_TOKEN and"
    " pass --backend and --org, and the file is not needed."
)
_EXPORT = "export PULUMI_ACCESS_TOKEN=..."

ENTRIES = {
    Code.INVALID_BACKEND: Entry(
        title="Invalid backend",
        why="The backend must be the URL of a service, `local`, or `local:PATH`.",
        fix="Pass an `https://` URL without user, query or fragment; `local` for the embedded"
        " service.",
        cases={
            "": Message(
                "{source}: {text:q} is not the address of a service",
                "Use an https:// URL such as https://api.pulumi.com, `local` or `local:PATH`.",
            ),
            "secret": Message(
                "{source}: the address of {host} contains a user name or a password",
                "It would be stored in the state. Remove it; the access token is sufficient.",
            ),
            "query": Message(
                "{source}: the address of {host} contains ? or #",
                "Use an https:// URL such as https://api.pulumi.com.",
            ),
            "no-path": Message(
                "{source}: `local:` requires a path",
                "Use `local` for the default database, or `local:PATH`.",
            ),
            "plain-http": Message(
                "{source}: http://{host}: a token is never sent over plain http, except to this"
                " machine",
                "Use the https:// address of the service:",
                "--backend {url:url}",
            ),
        },
    ),
    Code.PULUMI_SETTING_SKIPPED: Entry(
        title="Pulumi setting skipped",
        why="Pulumi's own settings name a backend that cannot have agent tasks, or that only"
        " Pulumi's CLI can read.",
        fix="Set `TASKCTL_BACKEND` or pass `--backend` to choose one explicitly.",
        cases={
            "encrypted": Message("{source} is encrypted; its current backend was not read"),
            "state-only": Message(
                "{source} is a {scheme}:// state backend, not a service; skipped"
            ),
        },
    ),
    Code.MISSING_CREDENTIALS: Entry(
        title="No access token",
        why="The service requires an access token, and none was found.",
        fix="Set `PULUMI_ACCESS_TOKEN`, or try taskctl without an account: `--backend local`.",
        cases={
            "": Message(
                "no access token for {backend}",
                "Create one in the service's console and set PULUMI_ACCESS_TOKEN, or try it without"
                " an account with --backend local.",
                _EXPORT,
            ),
            "encrypted": Message(
                "{path}: the token is encrypted, and only Pulumi's CLI can read it",
                "Set the token itself:",
                _EXPORT,
            ),
            "characters": Message(
                "the access token contains characters that no token has",
                "Set PULUMI_ACCESS_TOKEN to the token alone, without quotes, spaces or line ends.",
            ),
        },
    ),
    Code.PULUMI_FILE: Entry(
        title="Pulumi's settings cannot be read",
        why="Backend, token and organization may come from Pulumi's own files, and one of them is"
        " unusable.",
        fix="Run `pulumi login`, or set `PULUMI_ACCESS_TOKEN`, `--backend` and `--org`.",
        cases={
            "unreadable": Message("{path}: cannot be read ({reason})", _FILE),
            "not-json": Message("{path}: not valid JSON", _FILE),
            "not-object": Message("{path}: not a JSON object", _FILE),
        },
    ),
    Code.INVALID_NAME: Entry(
        title="Invalid organization or task id",
        why="The name would change the address that a request is sent to.",
        fix="Correct `orgName`, `taskID` or `--org`.",
        cases={
            "": Message(
                "{name:q} is not the name of an organization or a task id",
                "Correct orgName, taskID or --org.",
            )
        },
    ),
}
