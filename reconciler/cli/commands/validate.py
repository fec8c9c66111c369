"""`taskctl validate`: offline, and fast enough for every commit."""

from __future__ import annotations

from reconciler.cli.options import common_options, make_command, paths_argument
from reconciler.cli.output import Output
from reconciler.diagnostics import has_errors
from reconciler.render.reports import ValidateReport


@make_command(
    "validate",
    examples=[
        ("taskctl validate", "tasks/ and *.tasks.yaml in this folder"),
        ("taskctl validate tasks/iam.yaml", "one file, as a pre-commit hook does"),
        ("taskctl validate --format json | jq .diagnostics", "for another program"),
    ],
)
@paths_argument
@common_options
def command(paths: tuple[str, ...], out: Output) -> int:
    """Check manifests: every problem of every file, in order. Nothing is sent anywhere.

    A PATH is a file, or a folder whose *.yaml and *.yml are all read.
    """
    from reconciler.manifest import load

    manifests = load(paths, root=out.common.root)
    report = ValidateReport(
        len(manifests.tasks), len(manifests.files), tuple(manifests.diagnostics)
    )
    out.report(report, manifests.text_of)
    return int(has_errors(manifests.diagnostics))
