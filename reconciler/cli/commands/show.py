"""`taskctl show`: shows a saved plan, or everything about tasks."""

from __future__ import annotations

from reconciler.cli import completion
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, STATE, argument
from reconciler.render import BASIC_FORMATS


@make_command(
    "show",
    *(argument("name", "PLANFILE|KEY|GLOB", completion.keys_or_files), BACKEND, STATE),
    reports=True,
    examples=[
        ("taskctl show plan.taskctl", "show what `taskctl plan -o plan.taskctl` saved"),
        ("taskctl show plan.taskctl -v", "show the plan with full prompts"),
        ("taskctl show plan.taskctl --format json", "print the plan as JSON, for scripts"),
        ("taskctl show plan.taskctl --report html=plan.html", "also write a page for a browser"),
        ("taskctl show rotate-iam-keys", "show one task: record, manifest, and remote status"),
        ("taskctl show 'rotate-*'", "show several tasks"),
    ],
)
def command(call: Call, name: str) -> int:
    """Show a saved plan, or everything about tasks. Changes nothing.

    An argument that is not a file is read as a KEY, a GLOB or an entry, which select several tasks.
    Showing a plan needs no network access.
    """
    from reconciler.app.show import load_plan_or_tasks

    out = call.out
    found = load_plan_or_tasks(call.ctx, name, only_plan=out.options.format not in BASIC_FORMATS)
    if not isinstance(found, tuple):
        out.report(found)
        return 0
    from reconciler.render.show import reports_document, reports_text

    reports, now = found
    problems = tuple(dict.fromkeys(each for report in reports for each in report.diagnostics))
    out.result(
        lambda: reports_document(reports, problems, now, out.commands),
        lambda style: reports_text(reports, style, now),
        problems,
    )
    return 0
