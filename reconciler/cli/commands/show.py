"""`taskctl show`: shows everything about tasks."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, SELECTED, STATE


@make_command(
    "show",
    *(SELECTED, BACKEND, STATE),
    examples=[
        ("taskctl show rotate-iam-keys", "show one task: record, manifest, and remote status"),
        ("taskctl show 'rotate-*'", "show several tasks"),
        ("taskctl show rotate-iam-keys -v", "show its full prompt"),
        ("taskctl show rotate-iam-keys --format json", "print it as JSON, for scripts"),
    ],
)
def command(call: Call, selectors: tuple[str, ...]) -> int:
    """Show everything about tasks. Changes nothing.

    ORG/TASK_ID also selects a task by its ID, such as one that was replaced.
    """
    from reconciler.app.show import show
    from reconciler.render.show import reports_document, reports_text

    out = call.out
    reports, now = show(call.ctx, selectors)
    problems = tuple(dict.fromkeys(each for report in reports for each in report.diagnostics))
    out.result(
        lambda: reports_document(reports, problems, now, out.commands),
        lambda style: reports_text(reports, style, now),
        problems,
    )
    return 0
