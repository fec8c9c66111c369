"""`taskctl validate`: checks manifests offline, fast enough for every commit."""

from __future__ import annotations

from reconciler.cli import exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import PATHS, option

SKIP = option(
    "--skip-without-manifests",
    is_flag=True,
    help="Succeed if there are no manifests (for hooks).",
)
STRICT = option("--strict", is_flag=True, help="Treat warnings as errors.")


@make_command(
    "validate",
    *(PATHS, STRICT, SKIP),
    reports=True,
    examples=[
        ("taskctl validate", "check tasks/ and *.tasks.yaml in this directory"),
        ("taskctl validate tasks/iam.yaml", "check one file"),
        (
            "taskctl validate --format json | jq .diagnostics",
            "pass the problems to another program",
        ),
        ("taskctl validate --report sarif=taskctl.sarif", "also write a report for code scanning"),
    ],
)
def command(call: Call, paths: tuple[str, ...], strict: bool, skip_without_manifests: bool) -> int:
    """Check manifests and report every problem. Works offline.

    A PATH is a file, or a directory whose *.yaml and *.yml files are read.
    """
    from reconciler.app.validate import validate

    report = validate(call.ctx, paths, may_be_none=skip_without_manifests, strict=strict)
    call.out.report(report)
    return exit_codes.of_problems(report.diagnostics)
