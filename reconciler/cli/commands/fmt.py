"""`taskctl fmt`: formats manifests."""

from __future__ import annotations

import sys

from reconciler.cli.command import Call, make_command
from reconciler.cli.completion import candidates
from reconciler.cli.options import argument, option
from reconciler.cli.usage import UsageError


@make_command(
    "fmt",
    argument("paths", "[PATH... | -]", candidates.files, nargs=-1),
    option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change."),
    option("--diff", is_flag=True, help="Write nothing; show the changes."),
    examples=[
        ("taskctl fmt", "format tasks/ and *.tasks.yaml in this directory"),
        ("taskctl fmt --check", "in CI: list what would change, exit 1 if anything would"),
        ("taskctl fmt --diff tasks/iam.yaml", "show what would change"),
        ("taskctl fmt - < a.yaml", "stdin to stdout, for editors"),
    ],
)
def command(call: Call, paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format manifests: indentation, spaces, empty lines, line endings.

    Only whitespace changes: comments, anchors, quotes, block scalars and the order of keys are
    kept, and the result is only written if it has the same meaning. Files with a syntax error are
    skipped.
    """
    from reconciler.app.fmt import fmt, fmt_stdin
    from reconciler.render.fmt import fmt_document, fmt_summary, fmt_text

    out, stdin = call.out, "-" in paths
    if stdin and len(paths) > 1:
        raise UsageError("stdinAlone")
    if stdin:
        report = fmt_stdin(call.ctx, sys.stdin.buffer.read(), check=check)
    else:
        report = fmt(call.ctx, paths, check=check, write=not (check or diff))
    if stdin and not (check or diff) and out.options.format == "text":
        out.diagnostics(report.diagnostics)
        found = next(iter(report.files.values()))
        out.has_result = True
        sys.stdout.flush()
        sys.stdout.buffer.write(found.content or b"")
        sys.stdout.buffer.flush()
        return report.code
    out.result(
        lambda: fmt_document(report, diff=diff, text=stdin),
        lambda style: fmt_text(report, style, diff=diff),
        report.diagnostics,
    )
    summary = fmt_summary(report, dry_run=check or diff)
    if out.options.format == "text" and summary:
        out.note("formatted", parts=summary)
    return report.code
