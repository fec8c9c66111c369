"""`taskctl init`: creates a starter manifest."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import argument, option


@make_command(
    "init",
    argument("folder", "[DIR]", default="."),
    option("--hook", is_flag=True, help="Write .pre-commit-config.yaml."),
    option("--workflow", is_flag=True, help="Write .github/workflows/taskctl-*.yml."),
    option(
        "--gitignore", is_flag=True, help="Add the files that must not be committed to .gitignore."
    ),
    examples=[
        ("taskctl init", "create tasks/example.yaml here"),
        ("taskctl init infra --gitignore --hook", "in another directory, with these files"),
        ("taskctl init --workflow", "with GitHub workflows that plan and apply"),
    ],
)
def command(call: Call, folder: str, hook: bool, workflow: bool, gitignore: bool) -> int:
    """Create a starter manifest in DIR/tasks.

    Existing files are kept, except for taskctl's own copy of its schema, which is updated. With
    --hook and --workflow, the content of a file that already exists is printed instead.
    """
    from reconciler.app.init import init
    from reconciler.render.init import init_document, init_text

    report = init(call.ctx, folder, hook=hook, workflow=workflow, gitignore=gitignore)
    call.out.result(lambda: init_document(report), lambda _style: init_text(report))
    return 0
