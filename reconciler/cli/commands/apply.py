"""`taskctl apply`: shows the plan, asks, and creates what is missing, exactly once."""

from __future__ import annotations

import click

from reconciler.app.wait import Wait, wait_options
from reconciler.cli.completion.candidates import files
from reconciler.cli.console.output import Output
from reconciler.cli.options.service import Connection, connection_options, plan_options
from reconciler.cli.options.shared import make_command, report_options
from reconciler.model.options import PlanOptions


def _digest(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Empty text is refused, too: a variable that was never set must not mean any plan."""
    from reconciler.plan.digest import is_digest

    if value is not None and not is_digest(value):
        what = f"{value!r} is no digest of a plan: sha256: and 64 hex digits"
        raise click.BadParameter(what, ctx, param)
    return value


@make_command(
    "apply",
    examples=[
        ("taskctl apply", "show the plan, ask, create"),
        ("taskctl apply --yes", "without asking, as CI does"),
        ("taskctl apply plan.taskctl", "just what `taskctl plan --out plan.taskctl` showed"),
        ("taskctl apply --yes --report junit=apply.xml", "with a report that CI shows"),
        ("taskctl apply --yes --expect-plan sha256:4f1c...", "just what a plan with it showed"),
        ("taskctl apply --yes --wait --timeout 1h", "and wait until all are done; exits as wait"),
        ("taskctl apply --backend local --yes", "on the embedded service, no account needed"),
    ],
)
@click.argument("paths", nargs=-1, metavar="[PATH... | PLANFILE]", shell_complete=files)
@click.option("-y", "--yes", "--auto-approve", "yes", is_flag=True, help="Do not ask.")
@click.option(
    "--expect-plan",
    callback=_digest,
    metavar="DIGEST",
    help="Go on only if the plan has this digest, as `taskctl plan` told it.",
)
@wait_options
@plan_options
@connection_options
@report_options
def command(
    paths: tuple[str, ...],
    yes: bool,  # noqa: FBT001 - click passes it by name
    expect_plan: str | None,
    wait: Wait | None,
    options: PlanOptions,
    connection: Connection,
    out: Output,
) -> int:
    """Create the tasks that are missing, after showing the plan and asking.

    A PATH is a file, or a folder whose *.yaml and *.yml are all read. A PLANFILE is what
    `taskctl plan --out` kept: it is refused once anything that it was made from has changed.
    --expect-plan does so for a plan whose file cannot be passed on.

    With --wait it goes on, once all went well, until the tasks of these manifests are done, those
    that were there before too, and exits as `taskctl wait` does. Ctrl-C ends the waiting alone.
    """
    from reconciler.app.apply import apply

    return apply(paths, connection, options, out, yes=yes, expected=expect_plan, wait=wait)
