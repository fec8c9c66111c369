"""`taskctl doctor`: checks the environment."""

from __future__ import annotations

from reconciler.cli import exit_codes
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, STATE


@make_command(
    "doctor",
    BACKEND,
    STATE,
    examples=[
        ("taskctl doctor", "check the token, the service, the state and git"),
        ("taskctl doctor --format json", "print the results as JSON, for scripts"),
    ],
)
def command(call: Call) -> int:
    """Check what apply needs: the token, the service and its clock, and the state; also whether
    git tracks the state file, and whether the service shows the references of tasks (see the
    glossary). Changes nothing.

    Exits 1 if a check fails.
    """
    from reconciler.app.doctor import doctor
    from reconciler.render.doctor import checks_document, checks_text

    checks = doctor(call.ctx)
    problems = [problem for check in checks for problem in check.diagnostics]
    call.out.result(
        lambda: checks_document(checks, call.out.commands),
        lambda style: checks_text(checks, style),
        problems if call.out.options.quiet else (),
    )
    return exit_codes.of_problems(problems)
