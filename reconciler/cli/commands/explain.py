"""`taskctl explain`: what a diagnostic code means and how to fix it."""

from __future__ import annotations

from reconciler.cli.command import Call, make_command
from reconciler.cli.options import argument


@make_command(
    "explain",
    argument("code", "[CODE]", required=False),
    examples=[
        ("taskctl explain TC201", "explain one code"),
        ("taskctl explain", "list all codes"),
    ],
)
def command(call: Call, code: str | None) -> int:
    """Explain a diagnostic code, such as TC201. Without CODE, list all codes.

    Diagnostics end with their code, in brackets. Codes are stable: programs can rely on them, and
    not on the wording of a message.
    """
    from reconciler.app.explain import explain

    call.out.document(explain(code, as_json=call.out.common.format == "json"))
    return 0
