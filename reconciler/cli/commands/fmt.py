"""`taskctl fmt`: formats manifests."""

from __future__ import annotations

from reconciler.cli import exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import PATHS, option


@make_command(
    "fmt",
    PATHS,
    option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change."),
    examples=[
        ("taskctl fmt", "format tasks/ and *.tasks.yaml in this directory"),
        ("taskctl fmt tasks/iam.yaml", "format one file, for example on save"),
        ("taskctl fmt --check", "in CI: list the files that would change; exit 1 if there are any"),
    ],
)
def command(call: Call, paths: tuple[str, ...], check: bool) -> int:
    """Format manifests: indentation, spaces, empty lines, line endings.

    Only whitespace changes: comments, anchors, quotes, block scalars and the order of keys are
    kept, and the result is only written if it has the same meaning. Files with a syntax error are
    skipped.
    """
    from reconciler.app.fmt import fmt
    from reconciler.render.fmt import fmt_document, fmt_summary, fmt_text

    report = fmt(call.ctx, paths, check=check)
    call.out.result(
        lambda: fmt_document(report, call.out.commands),
        lambda _style: fmt_text(report),
        report.diagnostics,
    )
    if call.out.options.format == "text" and (summary := fmt_summary(report)):
        call.out.note("formatted", parts=summary)
    return exit_codes.of_fmt(report)
