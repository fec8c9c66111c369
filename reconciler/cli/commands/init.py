"""`taskctl init`: a first manifest, and what to do with it."""

from __future__ import annotations

import click

from reconciler.cli.console.output import Output
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "init",
    examples=[
        ("taskctl init", "tasks/example.yaml here, and what to do next"),
        ("taskctl init infra --gitignore --hook", "in another folder, with these files too"),
        ("taskctl init --workflow", "with workflows for GitHub: a plan, and an apply"),
    ],
)
@click.argument("folder", metavar="[DIR]", default=".")
@click.option("--hook", is_flag=True, help="Write .pre-commit-config.yaml.")
@click.option("--workflow", is_flag=True, help="Write .github/workflows/taskctl-*.yml.")
@click.option("--gitignore", is_flag=True, help="Add what belongs to one disk to .gitignore.")
@common_options
def command(
    folder: str,
    hook: bool,  # noqa: FBT001 - click passes it by name
    workflow: bool,  # noqa: FBT001
    gitignore: bool,  # noqa: FBT001
    out: Output,
) -> int:
    """Begin: write a first manifest to DIR/tasks, and show what belongs around it.

    Nothing is overwritten: what is there already is left alone, and named. The hook, the workflows
    and the lines for .gitignore are shown, or written with their options.
    """
    from reconciler.app.init import Beginning

    beginning = Beginning(out, out.common.path(folder), folder)
    beginning.manifest()
    beginning.gitignore(write=gitignore)
    beginning.hook(write=hook)
    beginning.workflow(write=workflow)
    beginning.place()
    beginning.tell()
    return 0
