"""`taskctl import`: take over what exists."""  # noqa: N999 - the command is called so

from __future__ import annotations

import click

from reconciler.cli.completion.candidates import files
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "import",
    examples=[
        ("taskctl import 4f1c... --write tasks/imported.yaml", "one task, by its id"),
        ("taskctl import --mine --since 30d --write tasks/imported.yaml", "what I made lately"),
        ("taskctl import --all --dry-run", "what the manifest would be; writes nothing"),
        ("taskctl import --from Pulumi.yaml --write tasks/agents.yaml", "a Pulumi program's"),
        ("pulumi stack export | taskctl import --from - --write tasks/agents.yaml", "a stack's"),
    ],
)
@click.argument("task_ids", nargs=-1, metavar="[TASK_ID]...")
@click.option("--all", "every", is_flag=True, help="All tasks of the organization that I see.")
@click.option("--mine", is_flag=True, help="All tasks that the token's user made.")
@click.option(
    "--since",
    metavar="DATE|DURATION",
    help="With --all or --mine: those made since 2026-11-01 (UTC), or in the last 30d.",
)
@click.option(
    "--from",
    "program",
    metavar="FILE|-",
    shell_complete=files,
    help="The agent tasks of a Pulumi YAML program, or of `pulumi stack export`; -: stdin.",
)
@click.option(
    "--write",
    "file",
    metavar="FILE",
    shell_complete=files,
    help="The manifest: made, or added to with all that is in it kept.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be written; write nothing.")
@connection_options
@common_options
def command(
    task_ids: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes it by name
    mine: bool,  # noqa: FBT001
    since: str | None,
    program: str | None,
    file: str | None,
    dry_run: bool,  # noqa: FBT001
    connection: Connection,
    out: Output,
) -> int:
    """Take over tasks that exist: write their manifest, and record them.

    Nothing is changed at the service. The plan right after has nothing to do. What cannot be
    written is named; what is recorded already is left alone.
    """
    from reconciler.app.import_ import Importing
    from reconciler.app.import_selection import Choice

    chosen = sum([bool(task_ids), every, mine, program is not None])
    if chosen != 1:
        raise click.UsageError("say what to import: TASK_IDs, or --all, or --mine, or --from FILE")
    if since is not None and not (every or mine):
        raise click.UsageError("--since goes with --all or --mine")
    if file == "-" or (file is None and not dry_run):
        raise click.UsageError("name the manifest, --write FILE; --dry-run prints it instead")
    importing = Importing(out, connection, file or "tasks/imported.yaml", dry_run=dry_run)
    if program is not None:
        return importing.tell(importing.of_program(program))
    return importing.tell(importing.of_service(Choice(task_ids, mine, since)))
