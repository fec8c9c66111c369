"""`taskctl import`: imports existing tasks."""  # noqa: N999 - the name of the command

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reconciler.cli import completion, exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import CONNECTION, argument, option
from reconciler.cli.usage import UsageError

if TYPE_CHECKING:
    from reconciler.cli.console.output import Output
    from reconciler.importing.report import ImportReport


@make_command(
    "import",
    argument("task_ids", "[TASK_ID]...", nargs=-1),
    option(
        "--all",
        "every",
        is_flag=True,
        help="All tasks of the organization that are visible to you.",
    ),
    option("--mine", is_flag=True, help="All tasks that the token's user created."),
    option(
        "--since",
        metavar="DATE|DURATION",
        help="With --all or --mine: only tasks created since a date such as 2026-11-01 (UTC), or "
        "within a duration such as 30d.",
    ),
    option(
        *("--from", "program"),
        metavar="FILE|-",
        shell_complete=completion.files,
        help="Import the tasks of a Pulumi YAML program or a `pulumi stack export`; - is stdin.",
    ),
    option(
        *("--write", "file"),
        metavar="FILE",
        shell_complete=completion.files,
        help="The manifest to create, or to extend without changing its entries.",
    ),
    option("--dry-run", is_flag=True, help="Print what would be written; write nothing."),
    *CONNECTION,
    examples=[
        ("taskctl import 4f1c... --write tasks/imported.yaml", "import one task by its ID"),
        (
            "taskctl import --mine --since 30d --write tasks/imported.yaml",
            "import your recent tasks",
        ),
        ("taskctl import --all --dry-run", "print the manifest; write nothing"),
        (
            "taskctl import --from Pulumi.yaml --write tasks/agents.yaml",
            "import the tasks of a Pulumi program",
        ),
        (
            "pulumi stack export | taskctl import --from - --write tasks/agents.yaml",
            "import the tasks of a stack",
        ),
    ],
)
def command(
    call: Call,
    task_ids: tuple[str, ...],
    every: bool,
    mine: bool,
    since: str | None,
    program: str | None,
    file: str | None,
    dry_run: bool,
) -> int:
    """Import existing tasks: write them to a manifest, and record them in the state.

    A TASK_ID may also be ORG/TASK_ID, or the address of the task's page in the browser.

    Changes nothing at the service; a plan right after the import shows no changes. Tasks that
    cannot be written are listed, and tasks that are already recorded are skipped.
    """
    from reconciler.app.import_ import ImportSelection, import_program, import_tasks

    if sum([bool(task_ids), every, mine, program is not None]) != 1:
        raise UsageError("importWhat")
    if since is not None and not (every or mine):
        raise UsageError("requires", option="--since", needed=("--all", "--mine"))
    if file == "-" or (file is None and not dry_run):
        raise UsageError("importTarget")
    target = file or call.ctx.settings.typed("tasks/imported.yaml")
    if program is not None:
        content = sys.stdin.buffer.read() if program == "-" else b""
        report = import_program(call.ctx, target, program, content, dry_run=dry_run)
    else:
        selection = ImportSelection(task_ids, mine, since)
        report = import_tasks(call.ctx, target, selection, dry_run=dry_run)
    _show(call.out, report)
    return exit_codes.of_problems(report.diagnostics)


def _show(out: Output, report: ImportReport) -> None:
    """The manifest or the report on stdout, the next step on stderr."""
    from reconciler.render.import_ import import_document, import_summary, import_text

    if report.dry_run and out.options.format == "text":
        out.diagnostics(report.diagnostics)
        out.document(report.manifest)
        out.note("dry_run", summary=import_summary(report))
        return
    out.result(
        lambda: import_document(report, out.commands),
        lambda style: import_text(report, style),
        report.diagnostics,
    )
    if report.next_step and out.options.format == "text":
        out.note("next", command=report.next_step)
