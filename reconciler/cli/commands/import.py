"""`taskctl import`: imports existing tasks."""  # noqa: N999 - the name of the command

from __future__ import annotations

import sys

import click

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import CONNECTION, argument, option


@make_command(
    "import",
    argument("task_ids", "[TASK_ID]...", nargs=-1),
    option("--all", "every", is_flag=True, help="All tasks of the organization that you can see."),
    option("--mine", is_flag=True, help="All tasks that the token's user created."),
    option(
        "--since",
        metavar="DATE|DURATION",
        help="With --all or --mine: created since 2026-11-01 (UTC), or in the last 30d.",
    ),
    option(
        *("--from", "program"),
        metavar="FILE|-",
        shell_complete=candidates.files,
        help="The agent tasks of a Pulumi YAML program, or of `pulumi stack export`; -: stdin.",
    ),
    option(
        *("--write", "file"),
        metavar="FILE",
        shell_complete=candidates.files,
        help="The manifest: created, or extended without changing what it contains.",
    ),
    option("--dry-run", is_flag=True, help="Print what would be written; write nothing."),
    *CONNECTION,
    examples=[
        ("taskctl import 4f1c... --write tasks/imported.yaml", "one task, by its ID"),
        ("taskctl import --mine --since 30d --write tasks/imported.yaml", "your recent tasks"),
        ("taskctl import --all --dry-run", "print the manifest; write nothing"),
        ("taskctl import --from Pulumi.yaml --write tasks/agents.yaml", "of a Pulumi program"),
        ("pulumi stack export | taskctl import --from - --write tasks/agents.yaml", "of a stack"),
    ],
)
def command(
    call: Call,
    task_ids: tuple[str, ...],
    every: bool,  # noqa: FBT001 - click passes it by name
    mine: bool,  # noqa: FBT001
    since: str | None,
    program: str | None,
    file: str | None,
    dry_run: bool,  # noqa: FBT001
) -> int:
    """Import existing tasks: write their manifest, and record them.

    Changes nothing at the service; a plan right after it has no changes. What cannot be written is
    listed, and what is already recorded is skipped.
    """
    from reconciler.app.import_ import ImportRequest, import_tasks
    from reconciler.app.import_selection import Choice
    from reconciler.cli.console.imported import show_import

    if sum([bool(task_ids), every, mine, program is not None]) != 1:
        raise click.UsageError("specify what to import: TASK_IDs, --all, --mine, or --from FILE")
    if since is not None and not (every or mine):
        raise click.UsageError("--since requires --all or --mine")
    if file == "-" or (file is None and not dry_run):
        raise click.UsageError("specify the manifest with --write FILE, or print it: --dry-run")
    content = sys.stdin.buffer.read() if program == "-" else b""
    choice = Choice(task_ids, mine, since)
    target = file or "tasks/imported.yaml"
    report = import_tasks(call.ctx, ImportRequest(target, choice, program, content, dry_run))
    return show_import(call.out, report)
