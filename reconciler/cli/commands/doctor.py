"""`taskctl doctor`: checks the environment."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, ORG, STATE
from reconciler.model.value import replace


@make_command(
    "doctor",
    BACKEND,
    ORG,
    STATE,
    examples=[
        ("taskctl doctor", "check the token, the service, the state and git"),
        ("taskctl doctor --format json", "print the results as JSON, for a program"),
    ],
)
def command(call: Call) -> int:
    """Check what apply needs: backend, token, connection, identity, clock, manifests,
    organizations, state and git; also whether the service preserves marks (see the glossary), and
    whether CI uses the same state. Changes nothing.

    Checks that cannot run are skipped. Exits 1 if a check fails.
    """
    from reconciler.app.doctor import Outcome, doctor
    from reconciler.render.doctor import checks_document, checks_text

    found = doctor(call.ctx)
    checks = [
        replace(c, diagnostics=tuple(call.out.masked_diagnostics(c.diagnostics))) for c in found
    ]
    problems = [problem for check in checks for problem in check.diagnostics]
    call.out.result(
        lambda: checks_document(checks),
        lambda style: checks_text(checks, style),
        problems if call.out.options.quiet else (),
    )
    return int(any(check.outcome is Outcome.FAILED for check in checks))
