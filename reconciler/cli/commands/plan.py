"""`taskctl plan`: shows what apply would do."""

from __future__ import annotations

from datetime import datetime

from reconciler.cli import completion, exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import (
    CONNECTION,
    FAIL_ON,
    PATHS,
    PLAN,
    PLAN_WAIT,
    option,
    time,
)
from reconciler.cli.usage import UsageError
from reconciler.model.codes import Code
from reconciler.model.diagnostics import Severity, TaskctlError
from reconciler.model.value import replace
from reconciler.render import KEYS

DETAILED = option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit 2 if apply would make changes, and 1 if it would fail.",
)
SKIP = option(
    "--skip-without-token",
    is_flag=True,
    help="Succeed without a plan if there is no access token (for hooks).",
)
OUT = option(
    *("-o", "--out", "out_file"),
    metavar="FILE",
    shell_complete=completion.files,
    help="Save the plan to FILE, for apply.",
)
AT = option(
    "--at",
    type=time,
    help="Show what would be due at TIME, such as 2026-12-01 or 2026-12-01T09:00:00Z.",
)


@make_command(
    "plan",
    *(PATHS, DETAILED, OUT, FAIL_ON, SKIP, AT, PLAN_WAIT, *PLAN, *CONNECTION),
    reports=True,
    formats=KEYS,
    everyday=(
        *("detailed_exitcode", "out_file", "fail_on", "target", "update", "replace"),
        *("backend", "org", "state", "format_name", "quiet", "verbose"),
    ),
    exit_codes=[
        ("0", "success; with --detailed-exitcode, apply would make no changes"),
        ("1", "an error, or apply would exit 1; the last line says why"),
        ("2", "only with --detailed-exitcode: apply would make changes"),
    ],
    examples=[
        ("taskctl plan", "plan tasks/ and *.tasks.yaml in this directory"),
        ("taskctl plan --backend local", "use the embedded service, which needs no account"),
        ("taskctl plan -o plan.taskctl", "save the plan, for `taskctl apply plan.taskctl`"),
        ("taskctl plan --detailed-exitcode", "exit 2 if apply would make changes"),
        ("taskctl plan --format keys", "print only the keys in the plan, one per line"),
        ("taskctl plan --report markdown=plan.md", "also write a comment for the pull request"),
    ],
)
def command(
    call: Call,
    paths: tuple[str, ...],
    detailed_exitcode: bool,
    out_file: str | None,
    fail_on: tuple[str, ...],
    skip_without_token: bool,
    at: datetime | None,
) -> int:
    """Show what apply would do. Changes no task and no state.

    A PATH is a file, or a directory whose *.yaml and *.yml files are read.
    """
    from reconciler.app.plan import note_next_step, plan

    if at is not None and out_file is not None:
        raise UsageError("exclusive", option="--at", other="--out")
    try:
        made = plan(
            call.ctx,
            paths,
            call.options,
            out_file=out_file,
            fail_on=[kind for kind in fail_on if kind != "none"],
            at=at,
        )
    except TaskctlError as problem:
        codes = {d.code for d in problem.diagnostics}
        if not skip_without_token or codes != {Code.MISSING_CREDENTIALS}:
            raise
        from reconciler.render.document import json_document

        call.out.note("without_credentials")
        notes = [replace(d, severity=Severity.NOTE) for d in problem.diagnostics]
        call.out.result(lambda: json_document(notes, call.out.commands), lambda _style: "")
        return 0
    call.out.report(made)
    if at is None:
        note_next_step(call.ctx, made, paths, out_file, over_budget=call.options.over_budget)
    return exit_codes.of_plan(made, may_fail="none" in fail_on, detailed=detailed_exitcode)
