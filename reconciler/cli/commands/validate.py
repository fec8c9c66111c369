"""`taskctl validate`: offline, and fast enough for every commit."""

from __future__ import annotations

from reconciler.cli.console.output import Output
from reconciler.cli.options.shared import make_command, paths_argument, report_options
from reconciler.model.diagnostics import has_errors
from reconciler.render.reports import ValidateReport


@make_command(
    "validate",
    examples=[
        ("taskctl validate", "tasks/ and *.tasks.yaml in this folder"),
        ("taskctl validate tasks/iam.yaml", "one file, as a pre-commit hook does"),
        ("taskctl validate --format json | jq .diagnostics", "for another program"),
        ("taskctl validate --report sarif=taskctl.sarif", "for code scanning, beside the text"),
    ],
)
@paths_argument
@report_options
def command(paths: tuple[str, ...], out: Output) -> int:
    """Check manifests: every problem of every file, in order. Nothing is sent anywhere.

    A PATH is a file, or a folder whose *.yaml and *.yml are all read.
    """
    from reconciler.app.manifests import load_manifests

    manifests = load_manifests(paths, out)
    report = ValidateReport(
        tasks=len(manifests.tasks),
        files=len(manifests.files),
        diagnostics=tuple(manifests.diagnostics),
        listed=tuple(manifests.tasks),
        names=tuple(manifests.files),
    )
    out.report(report, manifests.text_of)
    return int(has_errors(manifests.diagnostics))
