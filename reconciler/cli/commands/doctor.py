"""`taskctl doctor`: checks the environment."""

from __future__ import annotations

from reconciler.app.doctor import Check, Outcome, doctor
from reconciler.cli.command import Call, make_command
from reconciler.cli.options import BACKEND, ORG, STATE, option
from reconciler.messages.doctor import TITLES, found, skipped
from reconciler.render import safe
from reconciler.render.document import json_document


@make_command(
    "doctor",
    BACKEND,
    ORG,
    STATE,
    option(
        "--write-test", is_flag=True, help="Also write a file next to the state, and remove it."
    ),
    examples=[
        ("taskctl doctor", "check the token, the service, the state and git"),
        ("taskctl doctor --write-test", "also whether the state can be written"),
        ("taskctl doctor --format json", "the same for a program"),
    ],
)
def command(call: Call, write_test: bool) -> int:
    """Check what an apply needs: backend, token, connection, identity, clock, organization, state,
    whether the service keeps marks, and git. Changes nothing; --write-test leaves nothing behind.

    Checks that cannot run are skipped. Exits 1 if a check fails.
    """
    checks = doctor(call.ctx, write_test=write_test)
    problems = [problem for check in checks for problem in check.diagnostics]
    call.out.result(
        lambda: json_document(problems, checks=list(map(_document, checks))),
        lambda _style: "".join(map(_row, checks)),
        problems,
    )
    return int(any(check.outcome is Outcome.FAILED for check in checks))


def _row(check: Check) -> str:
    row = f"{check.outcome.value:<8} {TITLES[check.name]:<13} {safe.line(_text(check))}"
    return f"{row.rstrip()}\n"


def _text(check: Check) -> str:
    match check.outcome:
        case Outcome.OK:
            return found(check.case, check.facts)
        case Outcome.SKIPPED:
            return skipped(check.case)
    return ", ".join(problem.code.value for problem in check.diagnostics)


def _document(check: Check) -> dict[str, str]:
    return {"name": check.name, "outcome": check.outcome.value, "summary": _text(check)}
