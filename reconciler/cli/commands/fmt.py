"""`taskctl fmt`: manifests in their canonical form, as gofmt and terraform fmt do it."""

from __future__ import annotations

import click

from reconciler.cli.completion.candidates import files
from reconciler.cli.console.output import Output
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "fmt",
    examples=[
        ("taskctl fmt", "rewrite tasks/ and *.tasks.yaml in this folder where they need it"),
        ("taskctl fmt --check", "in CI: list what would change, exit 1 if anything would"),
        ("taskctl fmt --diff tasks/iam.yaml", "show what would change"),
        ("taskctl fmt - < a.yaml", "stdin to stdout, as editors do"),
    ],
)
@click.argument("paths", nargs=-1, metavar="[PATH... | -]", shell_complete=files)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show the changes.")
@common_options
def command(
    paths: tuple[str, ...],
    check: bool,  # noqa: FBT001 - click passes it by name
    diff: bool,  # noqa: FBT001
    out: Output,
) -> int:
    """Put manifests in their canonical form: indentation, spaces, empty lines, line ends.

    Only white space is moved: comments, anchors, quotes and block texts stay as they are, keys stay
    in their order, and what a manifest means is compared before anything is written. A file whose
    form has an error is left alone, and the others are done.
    """
    from reconciler.app.fmt import Formatting

    return Formatting(out, check=check, diff=diff).run(paths)
