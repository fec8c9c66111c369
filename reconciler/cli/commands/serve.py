"""`taskctl serve`: serves the embedded service over HTTP."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from reconciler.cli.command import Call, make_command
from reconciler.cli.help import Choice
from reconciler.cli.options import Number, duration, option
from reconciler.cli.usage import UsageError
from reconciler.manifest.repository import repository_root, resolved

SCENARIOS = (
    "finishing",
    "answering",
    "approving",
    "asking",
    "failing",
    "slow",
    "endless",
)
VARIABLE = "TASKCTL_SERVE_TOKEN"
DATABASE = ".taskctl/local.db"
"""The default file, in the working directory."""


@make_command(
    "serve",
    option("--host", default="127.0.0.1", help="Address to listen on."),
    option(
        "--port",
        type=Number(0, 65535),
        default=8765,
        help="Port to listen on; 0 selects a free port.",
    ),
    option(
        "--allow-host",
        multiple=True,
        metavar="NAME",
        help="Host name that clients may use, besides localhost and IP addresses (repeatable).",
    ),
    option("--db", default=DATABASE, metavar="PATH", hidden=True, help="SQLite file."),
    option(
        "--scenario",
        type=Choice([*SCENARIOS, "by-prompt"]),
        default="finishing",
        help="How tasks behave; by-prompt: the first word of each prompt selects the scenario.",
    ),
    option(
        "--work-time",
        type=duration,
        default="3s",
        help="How long a task runs.",
    ),
    option(
        "--merge",
        metavar="GLOB",
        help="Serve nothing: mark pull requests as merged (ORG/REPOSITORY#NUMBER or a glob).",
    ),
    text_only=True,
    examples=[
        ("taskctl serve", "listen on http://127.0.0.1:8765"),
        ("taskctl serve --port 0", "use a free port"),
        ("taskctl serve --scenario approving", "simulate tasks that ask for approval"),
        ("taskctl serve --merge 'acme/*'", "simulate that pull requests are merged"),
        (
            "PULUMI_ACCESS_TOKEN=$(cat FILE) taskctl plan --backend http://127.0.0.1:8765",
            "connect from another terminal, with the token file that serve shows",
        ),
    ],
)
def command(
    call: Call,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    db: str,
    scenario: str,
    work_time: timedelta,
    merge: str | None,
) -> int:
    """Serve the embedded service over HTTP until SIGINT or SIGTERM.

    The first line of output is the address. The only valid token is the value of
    TASKCTL_SERVE_TOKEN; if that is not set, each start creates a token in a new file that only
    you can read. Unlike in Pulumi's API description, a PATCH with an invalid body returns 400.
    """
    from reconciler.embedded.app import App
    from reconciler.embedded.scenarios import scenario_of
    from reconciler.embedded.server import serve
    from reconciler.remote.credentials import LOCAL_IDENTITY
    from reconciler.system import memory

    memory.resume_collection()
    settings = call.ctx.settings
    database = settings.embedded_file(db if db == DATABASE else settings.names([db])[0])
    if merge is not None:
        return _merge(call, database, merge)
    with _access(call) as (token, file):
        app = App(
            database,
            token=token,
            identity=LOCAL_IDENTITY if file else None,  # tasks outlive a token
            scenario=scenario_of(scenario, work_time.total_seconds()),
        )

        def announce(url: str) -> None:
            call.out.document(f"{url}\n")
            if file is not None:
                call.out.note("serving_file", file=str(file))
            elif sys.stderr.isatty():
                call.out.note("serving", variable=VARIABLE)

        serve(app, host, port, announce, allow_hosts=allow_host)
    return 0


def _merge(call: Call, database: Path, pattern: str) -> int:
    from reconciler.embedded.app import App

    with closing(App(database)) as app:
        count = app.merge(pattern)
    if not count:
        raise UsageError("noPullRequest", pattern=pattern)
    call.out.note("merged", count=count)
    return 0


@contextmanager
def _access(call: Call) -> Iterator[tuple[str, Path | None]]:
    """The only token that is accepted, and the file that contains it, if one was created. The file
    is removed at the end."""
    if (token := _token(os.environ)) is not None:
        yield token, None
        return
    token = secrets.token_urlsafe(32)
    file = _new_file(call, token)
    try:
        yield token, file
    finally:
        file.unlink(missing_ok=True)


def _new_file(call: Call, token: str) -> Path:
    """A file with the token, outside the repository, that only this user can read."""
    root = call.ctx.settings.root
    folder = resolved(Path(tempfile.gettempdir()))
    if folder.is_relative_to(repository_root(root) or resolved(root)):
        raise UsageError("tokenFolder", folder=str(folder), variable=VARIABLE)
    descriptor, name = tempfile.mkstemp(prefix="taskctl-serve-", suffix=".token", dir=folder)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{token}\n")
    return Path(name)


def _token(env: Mapping[str, str]) -> str | None:
    """The only valid token. An option would be visible to other users in the list of processes."""
    if VARIABLE not in env:
        return None
    if not env[VARIABLE].strip():
        raise UsageError("emptyToken", variable=VARIABLE)
    return env[VARIABLE].strip()
