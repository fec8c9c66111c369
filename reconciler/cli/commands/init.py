"""`taskctl init`: creates a starter manifest."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import argument, option
from reconciler.cli.usage import UsageError
from reconciler.model.shell import is_org_name


def _name(value: str) -> str:
    """A name that can be part of a workflow."""
    if not is_org_name(value):
        raise UsageError("name", value=value)
    return value


@make_command(
    "init",
    argument("folder", "[DIR]", default="."),
    option("--hook", is_flag=True, help="Write .pre-commit-config.yaml."),
    option(
        "--workflow",
        is_flag=True,
        help="Write .github/workflows/taskctl-*.yml, and configure a shared state.",
    ),
    option(
        *("--org", "organization"),
        type=_name,
        metavar="NAME",
        help="The organization of the tasks.",
    ),
    option(
        "--machine-user",
        type=_name,
        metavar="NAME",
        help="With --workflow: the user that CI uses to create tasks.",
    ),
    examples=[
        ("taskctl init", "create tasks/example.yaml, taskctl.toml and .gitignore here"),
        ("taskctl init infra --hook", "create them in another directory, with pre-commit hooks"),
        (
            "taskctl init --workflow --org acme --machine-user acme-taskctl",
            "also create GitHub workflows that plan, apply and run commands",
        ),
    ],
)
def command(
    call: Call,
    folder: str,
    hook: bool,
    workflow: bool,
    organization: str | None,
    machine_user: str | None,
) -> int:
    """Create a starter manifest in DIR/tasks, a .gitignore, and a taskctl.toml unless a
    configuration already applies to DIR.

    Existing files are kept, except for taskctl's own copy of its schema, which is updated, and
    .gitignore, to which lines are added. If a file that --hook or --workflow would write already
    exists, the new content is printed instead.
    """
    from reconciler.app.init import InitOptions, init
    from reconciler.render.init import init_document, init_text

    if machine_user is not None and not workflow:
        raise UsageError("requires", option="--machine-user", needed="--workflow")
    report = init(call.ctx, folder, InitOptions(hook, workflow, organization, machine_user))
    call.out.result(lambda: init_document(report), lambda style: init_text(report, style.commands))
    return 0
