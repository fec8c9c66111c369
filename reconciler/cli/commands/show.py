"""`taskctl show`: shows a saved plan, or everything about one task."""

from __future__ import annotations

from reconciler.cli import completion
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, STATE, argument
from reconciler.render import BASIC_FORMATS


@make_command(
    "show",
    *(argument("name", "PLANFILE|KEY", completion.keys_or_files), BACKEND, STATE),
    reports=True,
    examples=[
        ("taskctl show plan.taskctl", "show what `taskctl plan -o plan.taskctl` saved"),
        ("taskctl show plan.taskctl -v", "show the plan with full prompts"),
        ("taskctl show plan.taskctl --format json", "print the plan as JSON, for a program"),
        ("taskctl show plan.taskctl --report html=plan.html", "also write a page for a browser"),
        ("taskctl show rotate-iam-keys", "show one task: record, manifest, and remote status"),
    ],
)
def command(call: Call, name: str) -> int:
    """Show a saved plan, or everything about one task. Changes nothing.

    An argument that is not a file is read as KEY or ORG/KEY. Showing a plan needs no network
    access.
    """
    from reconciler.app.show import load_plan_or_task

    out = call.out
    found = load_plan_or_task(call.ctx, name, only_plan=out.options.format not in BASIC_FORMATS)
    if not isinstance(found, tuple):
        out.report(found)
        return 0
    from reconciler.render.show import report_document, report_text

    report, now = found
    out.result(
        lambda: report_document(report, now, out.commands),
        lambda style: report_text(report, style, now),
        report.diagnostics,
    )
    return 0
