"""`taskctl apply`: shows the plan, asks for confirmation, and creates what is missing."""

from __future__ import annotations

from datetime import timedelta

from reconciler.cli import completion, exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import (
    CONNECTION,
    FAIL_ON,
    INTERVAL,
    PLAN,
    STOP_ON,
    TIMEOUT,
    argument,
    first_given,
    option,
)
from reconciler.cli.usage import UsageError


def _digest(value: str) -> str:
    """An empty value is an error: an unset variable must not permit any plan."""
    from reconciler.plan.digest import is_digest

    if not is_digest(value):
        raise UsageError("digest", value=value)
    return value


@make_command(
    "apply",
    argument("paths", "[PATH... | PLANFILE]", completion.files, nargs=-1),
    option(
        *("-y", "--yes", "--auto-approve", "yes"), is_flag=True, help="Do not ask for confirmation."
    ),
    option(
        "--expect-plan",
        type=_digest,
        metavar="DIGEST",
        help="Fail unless the plan has this digest, which `taskctl plan` prints.",
    ),
    option("--wait", is_flag=True, help="After applying, wait until all tasks are done."),
    *(TIMEOUT, INTERVAL, STOP_ON, FAIL_ON, *PLAN, *CONNECTION),
    reports=True,
    everyday=(
        *("yes", "wait", "timeout", "target", "update", "replace", "retry"),
        *("backend", "org", "state", "quiet", "verbose"),
    ),
    exit_codes=[
        ("0", "success, also if there was nothing to do; with --wait, all tasks are done"),
        ("1", "an error; declined at the prompt; a task failed or stayed unresolved"),
        ("2", "only with --wait: tasks are still running"),
        ("3", "only with --wait: tasks wait for a person, or for a merge"),
        ("130, 143", "interrupted, terminated: requests in flight finished, the state was saved"),
    ],
    examples=[
        ("taskctl apply", "show the plan, ask for confirmation, create the tasks"),
        ("taskctl apply --yes", "do not ask for confirmation, for CI"),
        ("taskctl apply plan.taskctl", "apply exactly what `taskctl plan -o plan.taskctl` showed"),
        ("taskctl apply --yes --report junit=apply.xml", "also write a report for CI"),
        (
            "taskctl apply --yes --expect-plan sha256:4f1c...",
            "apply only the plan with this digest",
        ),
        ("taskctl apply --yes --wait --timeout 1h", "apply, then wait; exit like `taskctl wait`"),
        ("taskctl apply --backend local --yes", "use the embedded service, which needs no account"),
    ],
)
def command(
    call: Call,
    paths: tuple[str, ...],
    yes: bool,
    expect_plan: str | None,
    timeout: timedelta,
    interval: timedelta,
    stop_on: str | None,
    fail_on: tuple[str, ...],
) -> int:
    """Create the tasks that are missing, after showing the plan and asking for confirmation.

    A PATH is a file, or a directory whose *.yaml and *.yml files are read. A PLANFILE is a plan
    that `taskctl plan -o` saved; it is rejected as stale if apply would now do anything else.
    --expect-plan does the same check for a plan whose file is not available.

    With --wait, a successful apply then waits until all tasks of the manifests are done, creating
    held tasks as soon as possible, and exits like `taskctl wait`. Ctrl-C stops waiting; the tasks
    keep running.
    """
    from reconciler.app.apply import ApplyWaitReport, apply
    from reconciler.app.wait import WaitOptions
    from reconciler.app.wave import ApplyRequest

    waits = call.options.wait
    if not waits and (name := first_given(call.click, ("timeout", "interval", "stop_on"))):
        raise UsageError("requires", option=f"--{name.replace('_', '-')}", needed="--wait")
    wait = WaitOptions(timeout, interval, stop_on is not None)
    request = ApplyRequest(
        paths, call.options, call.given, yes=yes, expected=expect_plan, wait=wait, fail_on=fail_on
    )
    applied = apply(call.ctx, request)
    if applied.plan is None:  # declined
        call.out.keep(applied.report.diagnostics)
    elif isinstance(applied.report, ApplyWaitReport):
        call.out.waited(applied.report)
    else:
        call.out.report(applied.report)
        if any(task.may_follow for task in applied.plan.tasks):
            call.out.note("held")
    return exit_codes.of_apply(applied)
