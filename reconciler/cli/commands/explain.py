"""`taskctl explain`: what a diagnostic code means and how to fix it."""

from __future__ import annotations

import click

from reconciler.cli.console.output import Output
from reconciler.cli.options.shared import common_options, make_command


@make_command(
    "explain",
    examples=[
        ("taskctl explain TC201", "explain one code"),
        ("taskctl explain", "list all codes"),
    ],
)
@click.argument("code", required=False, metavar="[CODE]")
@common_options
def command(code: str | None, out: Output) -> int:
    """Explain a diagnostic code, such as TC201. Without CODE, list all codes.

    Diagnostics end with their code, in brackets. Codes are stable: programs can rely on them, and
    not on the wording of a message.
    """
    from reconciler.app.explain import explain

    out.document(explain(code, as_json=out.common.format == "json"))
    return 0
